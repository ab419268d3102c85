from pathlib import Path
from types import SimpleNamespace

import pytest

import doctor as script
from speedmap.engines import registry
from speedmap.engines.registry import ORDER
from speedmap.machine.nvml import Identity, NoGpu
from speedmap.run import doctor, forecast, install
from speedmap.run.doctor import GIB, MISSING, OK, WARNING


class FakeGpu:
    def __init__(self, free=79):
        self.free = free

    def identity(self):
        return Identity(gpu="H100", compute_capability="9.0", driver="570.1", cuda_driver="12.8")

    def ask(self, _name):
        return self.free and SimpleNamespace(free=self.free * GIB, total=80 * GIB)


def no_gpu():
    raise NoGpu("no GPU: NVML is not there")


@pytest.fixture
def envs(tmp_path):
    folder = tmp_path / "envs"
    folder.mkdir()
    (folder / "common.txt").write_text("# common\nnumpy==2.0\nonnx==1.0\n")
    (folder / "cpu.txt").write_text("-r common.txt\nopenvino==9.0\n")
    (folder / "gpu.txt").write_text("-r common.txt\ntensorrt-cu13==11.0\npolygraphy==0.5\n")
    return folder


def test_python():
    assert doctor.python((3, 11, 0)).state == OK
    assert doctor.python((3, 10, 9)).state == MISSING


def test_a_gpu_is_named_with_its_driver():
    line = doctor.gpu(FakeGpu)
    assert line.state == OK
    assert "H100" in str(line)
    assert "570.1" in str(line)


def test_a_gpu_that_others_use_is_a_warning():
    assert doctor.gpu(lambda: FakeGpu(free=20)).state == WARNING
    assert doctor.gpu(lambda: FakeGpu(free=None)).state == OK  # it does not tell


def test_a_machine_without_a_gpu_is_simply_that():
    line = doctor.gpu(no_gpu, lambda: install.choose([])._replace(reason="no NVIDIA driver: there is no nvidia-smi"))
    assert (line.state, line.found) == (OK, "none from NVIDIA; OpenVINO measures on the CPU")
    states = {line.what: line.state for line in doctor.engines({"tensorrt": "no GPU", "openvino": None}, True)}
    assert states == {"tensorrt": OK, "openvino": OK}


def test_a_gpu_whose_driver_does_not_run_is_a_warning_that_says_so():
    line = doctor.gpu(no_gpu, lambda: install.Choice("cpu", "nvidia-smi fails: the driver does not run"))
    assert (line.state, line.found) == (WARNING, "no GPU: NVML is not there")


def test_a_driver_that_is_not_there_is_known_by_its_reason(monkeypatch):
    monkeypatch.setattr(install.shutil, "which", lambda _name: None)
    monkeypatch.setattr(install, "WSL", Path("/no/such/file"))
    assert doctor.gpu(no_gpu).state == OK


def test_whoever_can_run_tensorrt_is_asked_for_what_the_tests_on_a_gpu_print():
    asked = {line.what: "make test-gpu" in str(line) for line in doctor.engines({"tensorrt": None, "openvino": None})}
    assert asked == {"tensorrt": True, "openvino": False}


def test_no_backend_at_all_is_missing_with_or_without_a_gpu():
    states = [line.state for line in doctor.engines({"tensorrt": "no GPU", "openvino": "not installed"}, True)]
    assert states == [MISSING, MISSING]


def test_a_broken_backend_is_explained():
    def broken(backend):
        raise ImportError("libnvinfer.so.8: cannot open shared object file: No such file or directory")

    found = doctor.usable(broken)
    assert set(found) == set(ORDER)
    assert "library of TensorRT" in found["tensorrt"]
    assert {line.state for line in doctor.engines(found)} == {MISSING}


def test_a_backend_that_another_replaces_is_a_warning():
    states = [line.state for line in doctor.engines({"tensorrt": "no GPU", "openvino": None})]
    assert states == [WARNING, OK]


def test_pins_include_other_lists(envs):
    assert doctor.pins(envs / "cpu.txt") == {"numpy": "2.0", "onnx": "1.0", "openvino": "9.0"}


def test_packages_as_pinned(envs):
    line = doctor.packages(envs, {"numpy": "2.0", "onnx": "1.0", "openvino": "9.0"}.get)
    assert line.state == OK
    assert "envs/cpu.txt" in line.found


def test_the_nearest_environment_is_compared(envs):
    line = doctor.packages(envs, {"numpy": "1.9", "onnx": "1.0", "tensorrt-cu13": "11.0", "polygraphy": "0.5"}.get)
    assert line.state == WARNING
    assert "numpy 1.9 (pinned 2.0)" in line.found
    assert line.remedy == "pip install -r envs/gpu.txt"


def test_missing_packages(envs):
    line = doctor.packages(envs, {"onnx": "1.0", "openvino": "9.0"}.get)
    assert (line.state, line.found) == (MISSING, "numpy missing (pinned 2.0)")


def test_many_differences_stay_one_line():
    line = doctor.packages(doctor.ROOT / "envs", lambda _name: None)
    assert "more" in line.found
    assert line.found.count(",") == 2


def test_a_local_version_is_the_pinned_one(monkeypatch):
    monkeypatch.setattr(doctor.environment, "installed", lambda _name: "2.13.0+cpu")
    assert doctor.installed("torch") == "2.13.0"


def test_a_package_that_is_not_there():
    assert doctor.installed("no-such-package-at-all") is None


@pytest.mark.parametrize(("gib", "state"), [(1, MISSING), (5, WARNING), (500, OK)])
def test_disk(gib, state):
    assert doctor.disk(gib * GIB).state == state


@pytest.mark.parametrize(("available", "state"), [(None, WARNING), (GIB, WARNING), (16 * GIB, OK)])
def test_memory(available, state):
    assert doctor.memory(available).state == state


def test_a_container_has_less_memory_than_its_machine(tmp_path):
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text("MemTotal:  99 kB\nMemAvailable:   8192 kB\n")
    assert doctor.available_memory(tmp_path) == 8 * 2**20
    group = tmp_path / "sys/fs/cgroup"
    group.mkdir(parents=True)
    (group / "memory.current").write_text("1000\n")
    (group / "memory.max").write_text("max\n")
    assert doctor.available_memory(tmp_path) == 8 * 2**20
    (group / "memory.max").write_text("3000\n")
    assert doctor.available_memory(tmp_path) == 2000
    assert doctor.available_memory(tmp_path / "nowhere") is None


def test_the_default_config_is_readable():
    line, merged = doctor.config(["config.yaml"])
    assert line.state == OK
    assert len(merged.models) == 4


@pytest.mark.parametrize("text", ["models: [", "modles: {}", "- a list", "models: {a: {weights: nowhere.pt}}"])
def test_a_config_with_a_mistake(tmp_path, text):
    file = tmp_path / "config.yaml"
    file.write_text(text)
    line, merged = doctor.config([str(file)])
    assert merged is None
    assert line.state == MISSING
    assert str(file) in line.found


def test_an_overlay_is_read_over_the_default(tmp_path):
    (tmp_path / "overlay.yaml").write_text("precisions: [fp16]")
    assert doctor.config([str(tmp_path / "overlay.yaml")])[0].found.endswith("overlay.yaml: 8 cells")


def test_a_typo_is_told_without_the_whole_schema(tmp_path):
    (tmp_path / "overlay.yaml").write_text("precision: [fp16]")
    line, _ = doctor.config([str(tmp_path / "overlay.yaml")])
    assert str(line).endswith("overlay.yaml: line 1: 'precision' is no key; did you mean 'precisions'?")


def test_a_mistake_in_yaml_is_told_with_its_file_and_line_alone(tmp_path):
    (tmp_path / "sound.yaml").write_text("imgsz: 320")
    (tmp_path / "broken.yaml").write_text("imgsz: 320\nmodels: [")
    line, _ = doctor.config([str(tmp_path / name) for name in ("sound.yaml", "broken.yaml")])
    assert line.found.startswith(f"{tmp_path}/broken.yaml: line 2, column 10: ")


def test_a_config_that_is_not_there(tmp_path):
    line, _ = doctor.config([str(tmp_path / "none.yaml")])
    assert (line.state, line.found) == (MISSING, f"{tmp_path}/none.yaml: No such file or directory; correct the path")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "int8: {method: implicit}",
            "line 1: int8.method: implicit cannot be: only TensorRT 8.6 and 10 calibrate",
        ),
        ("platform: {tensorrt: '8.6'}", "line 1: platform: is given, but for which backend? name it"),
    ],
)
def test_what_no_backend_here_can_do_is_told_as_the_run_would(tmp_path, monkeypatch, text, said):
    monkeypatch.setattr(registry, "obstacle", {"tensorrt": "no GPU"}.get)
    (tmp_path / "overlay.yaml").write_text(text)
    line, _ = doctor.config([str(tmp_path / "overlay.yaml")])
    assert (line.state, said in line.found) == (MISSING, True)


@pytest.mark.parametrize(("why_not", "code"), [(None, 0), ("not here", 1)])
def test_the_exit_code_says_whether_a_backend_can_run(monkeypatch, capsys, why_not, code):
    monkeypatch.setattr(forecast, "planned", lambda _files: {"build_engine": 3})
    monkeypatch.setattr(doctor, "usable", lambda: {"tensorrt": "no\nGPU", "openvino": why_not})
    assert script.main(["config.yaml"]) == code
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 10
    assert {line.split()[0] for line in lines} <= {OK, MISSING, WARNING}
