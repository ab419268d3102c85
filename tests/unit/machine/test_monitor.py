import os
import threading
from types import SimpleNamespace

import pytest
from msgspec import structs

from speedmap.machine import monitor
from speedmap.machine.cpu_counters import CpuSource
from speedmap.machine.disturbances import verdict
from speedmap.machine.monitor import GpuSource, Watch, decode
from speedmap.machine.nvml import Gpu, NoGpu
from speedmap.machine.sample import Sample
from speedmap.reporting.footnotes import words
from speedmap.results.findings import WatcherDied

OWN = 42
STEADY = Sample(sm_mhz=1980, memory_mhz=2619, reasons=[], pids=[OWN])


def judged(*changes, alive=True, error=None):
    return said([structs.replace(STEADY, **change) for change in changes], alive, error)


def said(samples, alive=True, error=None):
    """Judge samples, in the words that a reader sees."""
    return [words(warning) for warning in verdict(samples, alive, error, OWN)]


def test_a_quiet_run_has_no_warnings():
    assert judged({}, {}, {}) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (({}, {"reasons": ["sw thermal slowdown"]}), "throttled: sw thermal slowdown"),
        (({}, {"reasons": ["sw power cap", "hw slowdown"]}), "throttled: sw power cap"),
        (({}, {}, {"sm_mhz": 1600}), "sm clock changed by more than 5%: 1600 to 1980 MHz"),
        (({}, {"pids": [OWN, 7]}), "foreign process on the GPU: 7"),
        (({"pids": [1, 2]}, {"pids": [1]}), "foreign process on the GPU: 2"),
        (({"reasons": None}, {"reasons": None}), "not watched: throttle reasons"),
        (({"pids": []}, {"pids": []}), "not watched: processes"),
        (({"others_share": 0.5}, {"others_share": 0.7}), "other processes used 60% of the CPU"),
        (({"neighbours": {"1": 0, "2": 9}}, {"neighbours": {"1": 0, "2": 3}}), "other GPUs of the host were at work"),
    ],
)
def test_a_disturbance_is_named(changes, expected):
    assert any(warning.startswith(expected) for warning in judged(*changes))


def test_the_processors_are_a_gpus_neighbours_and_what_openvino_runs_on():
    taken = {"others_share": 0.3}
    assert judged(taken) == []
    assert said([Sample(cpu_mhz=2400, **taken)]) == ["other processes used 30% of the CPU"]


def test_neighbours_that_do_not_tell_are_no_mark():
    assert judged({"neighbours": {"1": None}}, {"neighbours": {}}) == []


def test_reasons_that_slow_nothing_down_are_no_throttle():
    assert judged({"reasons": ["gpu idle"]}, {"reasons": ["application clocks setting"]}) == []


def test_the_clock_of_an_idle_gpu_does_not_count():
    assert judged({"sm_mhz": 345, "reasons": ["gpu idle"]}, {}, {}) == []


def test_a_process_under_the_number_of_another_namespace_is_the_own_one():
    assert judged({"pids": [9001]}, {"pids": [9001]}) == []


def test_silence_certifies_nothing():
    assert said([], False) == ["watcher took no samples"]
    assert said([STEADY], False, "GpuIsLost()") == ["watcher died: GpuIsLost()"]


def test_bits_have_names_and_unknown_ones_keep_their_number():
    assert decode(0x24) == ["sw power cap", "sw thermal slowdown"]
    assert decode(0x1000) == ["0x1000"]


class Source:
    """Counts on until it dies; `seen` is set when it is asked for its tenth sample, or dies before."""

    def __init__(self, until=None):
        self.until, self.asked, self.seen = until, 0, threading.Event()

    def setting(self):
        return {"gpu": "fake"}

    def sample(self):
        if self.asked in (self.until, 10):
            self.seen.set()
        if self.asked == self.until:
            raise OSError("the GPU is gone")
        self.asked += 1
        return Sample(sm_mhz=1000 + self.asked, reasons=[], pids=None)


def run(source):
    with Watch(source, period_s=0.001) as watch:
        assert source.seen.wait(5)
    return watch.result


def test_a_source_that_fails_is_a_watcher_that_died():
    result = run(Source(until=2))
    assert result.alive is False
    assert WatcherDied("OSError('the GPU is gone')") in result.warnings
    assert result.ranges["sm_mhz"] == (1001, 1002)
    assert [sample["sm_mhz"] for sample in result.samples] == [1001, 1002]


def test_a_watch_that_lasts_is_alive_and_thins_its_samples(monkeypatch):
    monkeypatch.setattr(monitor, "KEPT", 3)
    source = Source()
    result = run(source)
    assert result.alive is True
    assert result.count == source.asked > 9
    kept = [sample["sm_mhz"] for sample in result.samples]
    step = -(-result.count // 3)
    assert kept == list(range(1001, 1001 + result.count, step))
    assert result.ranges["sm_mhz"] == (1001, 1000 + result.count)
    times = [sample["at_s"] for sample in result.samples]
    assert times == sorted(times)
    assert result.untold == ["pids"]
    assert result.setting == {"gpu": "fake"}


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


def test_what_a_watch_cannot_tell_of_programs_is_nothing():
    assert run(Source()).busiest == {}


class NVMLError(Exception):
    pass


class Library:
    """Stands in for pynvml on a GPU that tells its clocks only."""

    NVMLError = NVMLError
    NVMLError_GpuIsLost = type("NVMLError_GpuIsLost", (NVMLError,), {})
    NVML_CLOCK_SM, NVML_CLOCK_MEM, NVML_TEMPERATURE_GPU = 1, 2, 0
    present, lost = True, False

    def nvmlInit(self):
        if not self.present:
            raise NVMLError("Driver Not Loaded")

    def nvmlDeviceGetCount(self):
        return 1

    def nvmlDeviceGetHandleByIndex(self, index):
        return index

    def nvmlDeviceGetUUID(self, handle):
        return b"GPU-1234"

    def nvmlSystemGetCudaDriverVersion(self):
        return 12080

    def nvmlSystemGetDriverVersion(self):
        return b"570.1"

    def nvmlDeviceGetClockInfo(self, handle, kind):
        if self.lost:
            raise self.NVMLError_GpuIsLost
        return 1000 * kind

    def nvmlDeviceGetName(self, handle):
        return "Fake GPU"

    def nvmlDeviceGetPowerUsage(self, handle):
        raise NVMLError("Not Supported")


def test_counters_that_a_gpu_does_not_tell_are_none(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    sample = GpuSource(Gpu(Library()), SimpleNamespace(others_share=lambda: 0.25)).sample()
    assert sample == Sample(
        sm_mhz=1000,
        memory_mhz=2000,
        power_w=None,
        temperature_c=None,
        reasons=None,
        pids=None,
        neighbours={},
        others_share=0.25,
        energy_j=None,
        used_mib=None,
        process_mib=None,
    )


def test_the_setting_names_the_gpu(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-123,1")
    setting = GpuSource(Gpu(Library())).setting()
    assert setting["gpu"] == "Fake GPU"
    assert setting["cuda_driver"] == "12.8"
    assert setting["clocks_locked"] is None


def test_a_lost_gpu_ends_the_watch(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    library = Library()
    library.lost = True
    with pytest.raises(NVMLError):
        GpuSource(Gpu(library)).sample()


def test_no_driver_and_no_visible_gpu_are_said(monkeypatch):
    library = Library()
    library.present = False
    with pytest.raises(NoGpu, match="Driver Not Loaded"):
        Gpu(library)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(NoGpu, match="CUDA_VISIBLE_DEVICES"):
        Gpu(Library())


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


class Desktop(Library):
    """A GPU whose processes are told: Xorg draws, and what else is put into `compute`, `graphics` and `busy`."""

    def __init__(self):
        self.compute, self.graphics, self.busy = {OWN}, {7}, {}

    def nvmlDeviceGetComputeRunningProcesses(self, handle):
        return [SimpleNamespace(pid=pid, usedGpuMemory=300 << 20) for pid in self.compute]

    def nvmlDeviceGetGraphicsRunningProcesses(self, handle):
        return [SimpleNamespace(pid=pid) for pid in self.graphics]

    def nvmlDeviceGetProcessUtilization(self, handle, since):
        return [SimpleNamespace(pid=pid, smUtil=used, timeStamp=since + 1) for pid, used in self.busy.items()]

    def nvmlSystemGetProcessName(self, pid):
        return {7: b"/usr/lib/xorg/Xorg", 8: b"/usr/bin/blender", 9: "/opt/python3"}[pid] if pid != OWN else b"python"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        ({"busy": {7: 1}}, []),
        ({"busy": {7: 40}}, ["foreign process on the GPU: 7 (Xorg)"]),
        ({"graphics": {7, 8}}, ["foreign process on the GPU: 8 (blender)"]),
        ({"compute": {OWN, 9}}, ["foreign process on the GPU: 9 (python3)"]),
    ],
    ids=["idle desktop", "clock on the desktop", "busy desktop", "new window", "compute"],
)
def test_a_desktop_marks_a_timing_only_when_it_works(monkeypatch, change, expected):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    library = Desktop()
    source = GpuSource(Gpu(library), SimpleNamespace(others_share=lambda: 0.0))
    vars(library).update(change)
    samples = [structs.replace(source.sample(), reasons=[]) for _ in range(2)]
    names = source.setting()["processes"]
    assert [words(warning) for warning in verdict(samples, True, None, OWN, names)] == expected


@pytest.mark.parametrize("told", [None, []], ids=["not supported", "empty"])
def test_a_system_without_a_list_of_processes_is_said(monkeypatch, told):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    library = Library()
    if told is not None:
        library.nvmlDeviceGetComputeRunningProcesses = lambda handle: told
    source = GpuSource(Gpu(library), SimpleNamespace(others_share=lambda: 0.0))
    warnings = [words(warning) for warning in verdict([structs.replace(source.sample(), reasons=[])], True, None, OWN)]
    assert warnings == ["not watched: processes (this GPU or virtual machine does not tell)"]


def test_a_gpu_that_mig_splits_is_no_gpu_to_time_on(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    library = Library()
    library.nvmlDeviceGetMigMode = lambda handle: [1, 1]
    with pytest.raises(NoGpu, match="MIG splits"):
        Gpu(library)
    library.nvmlDeviceGetMigMode = lambda handle: [0, 0]
    assert Gpu(library).identity().gpu == "Fake GPU"


def test_a_laptop_that_changes_its_clocks_is_named_with_them():
    changes = ({"sm_mhz": 2100}, {"sm_mhz": 1400, "reasons": ["sw power cap"]}, {"sm_mhz": 1400})
    assert judged(*changes) == ["throttled: sw power cap", "sm clock changed by more than 5%: 1400 to 2100 MHz"]


def test_memory_is_told_of_the_gpu_and_of_the_only_process_on_it(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    library = Desktop()
    library.nvmlDeviceGetMemoryInfo = lambda handle: SimpleNamespace(used=900 << 20)
    source = GpuSource(Gpu(library), SimpleNamespace(others_share=lambda: 0.0))
    alone = source.sample()
    library.compute.add(9)
    beside = source.sample()
    assert (alone.used_mib, alone.process_mib, beside.process_mib) == (900, 300, None)
