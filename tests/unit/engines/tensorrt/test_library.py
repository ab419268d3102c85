import pytest

from speedmap.engines.tensorrt import library
from speedmap.engines.tensorrt.library import decoded, explain, memory_peak, unfit
from speedmap.machine.nvml import Identity


@pytest.mark.parametrize(
    ("version", "capability", "cuda", "word"),
    [
        ("8.6.1", "9.0", None, None),
        ("8.6.1", "12.0", None, "does not run on"),
        ("10.16.1", "7.0", None, "does not run on"),
        ("11.4.0", "7.5", 13, "update the driver"),
        ("11.4.0", "12.0", 12, None),
        ("10.1", "?", None, None),
    ],
)
def test_gpus_and_drivers_that_do_not_fit_are_named(version, capability, cuda, word):
    reason = unfit(version, Identity("Fake GPU", capability, "1", "12.8"), cuda)
    assert reason is None if word is None else word in reason


def test_a_tensorrt_that_is_not_there_is_said_with_the_places_looked_at(monkeypatch, tmp_path):
    monkeypatch.setenv("LD_LIBRARY_PATH", "/opt/nowhere")
    monkeypatch.setattr(library, "DEVICES", (str(tmp_path),))
    monkeypatch.setattr(library, "load", library.load.__wrapped__)

    def missing(name):
        raise OSError("libnvinfer.so.10: cannot open shared object file")

    monkeypatch.setattr(library.importlib, "import_module", missing)
    assert "libnvinfer.so.10" in (reason := library.usable())
    assert "/opt/nowhere" in reason
    monkeypatch.setattr(library, "DEVICES", (str(tmp_path / "none"),))
    assert library.usable().startswith("no NVIDIA GPU and driver here")


def test_the_library_version_is_read_in_both_spellings():
    assert decoded(8601) == (8, 6)
    assert decoded(101601) == (10, 16)


def test_errors_get_the_remedy_of_their_cause():
    assert "the GPU's memory is too small for the build" in str(
        explain(["Requested amount of GPU memory could not be allocated", "OutOfMemory"], "x")
    )
    assert "Q/DQ" in str(
        explain(["Assertion failed: scaleAllPositive && Scale coefficients must all be positive"], "x")
    )
    assert "gave no reason" in str(explain([], "x"))


def test_the_builders_memory_is_read_off_its_message():
    text = "[MemUsageStats] Peak memory usage of TRT CPU/GPU memory allocators: CPU 13 MiB, GPU 200 MiB"
    assert memory_peak(text) == {"peak_host_mib": 13, "peak_gpu_mib": 200}
    assert memory_peak("[MemUsageChange] Init CUDA: CPU +14, GPU +0") == {}
