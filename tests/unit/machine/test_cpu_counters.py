import os

from speedmap.machine.cpu_counters import CpuSource
from speedmap.machine.sample import Sample


def test_the_busiest_programs_are_named_by_what_they_used_since_the_start(tmp_path):
    def tick(total, **used):
        (tmp_path / "stat").write_text(f"cpu  {total} 0 0 0 0 0 0 0 0 0\n")
        for name, ticks in used.items():
            number, program, parent = name.strip("_").split("_")
            (tmp_path / number).mkdir(exist_ok=True)
            fields = f"S {parent} {' '.join(['0'] * 9)} {ticks} 1 0 0"
            (tmp_path / number / "stat").write_text(f"{number} (a ({program}) {fields}\n")

    (tmp_path / "self").mkdir()
    (tmp_path / "self/stat").write_text(f"1 (a) R {' '.join(['0'] * 20)}")
    names = {"_7_old_1": 900, "_8_firefox_1": 10, "_9_kworker_2": 0, "_2_kthreadd_0": 0, f"_{os.getpid()}_own_1": 0}
    tick(1000, **names)
    source = CpuSource(tmp_path, tmp_path)
    later = {**dict.fromkeys(names, 500), "_7_old_1": 901, "_8_firefox_1": 40, "_10_new_1": 20, "_11_idle_1": 0}
    tick(1100, **later)
    assert source.busiest() == {"a (firefox (8)": 0.3, "a (new (10)": 0.21}


def test_the_share_of_other_processes_is_read_off_proc(tmp_path):
    (tmp_path / "self").mkdir()
    (tmp_path / "cpuinfo").write_text("cpu MHz\t\t: 2400.5\ncpu MHz : 2600.0\n")

    def write(user, idle, own):
        (tmp_path / "stat").write_text(f"cpu  {user} 0 0 {idle} 0 0 0 0 0 0\ncpu0 1\n")
        (tmp_path / "self/stat").write_text(f"1 (a (b) c) R {' '.join(['0'] * 10)} {own} 0 0 0\n")

    write(0, 0, 0)
    source = CpuSource(tmp_path, tmp_path, tmp_path)
    write(70, 30, 20)
    assert source.sample() == Sample(cpu_mhz=2600.0, others_share=0.5, energy_j=None)
    assert source.setting()["governor"] is None
