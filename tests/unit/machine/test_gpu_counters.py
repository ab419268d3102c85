import time
from types import SimpleNamespace

import pytest
from msgspec import structs

from speedmap.machine.disturbances import foreign, verdict
from speedmap.machine.gpu_counters import GpuSource, decode
from speedmap.machine.nvml import Gpu, NoGpu
from speedmap.machine.sample import Sample
from speedmap.reporting.footnotes import words

OWN = 42


def test_bits_have_names_and_unknown_ones_keep_their_number():
    assert decode(0x24) == ["sw power cap", "sw thermal slowdown"]
    assert decode(0x1000) == ["0x1000"]


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


def test_beside_a_process_that_times_nothing_every_other_is_foreign_even_a_single_steady_one():
    samples = [Sample(at_s=0.0, pids=[9], reasons=[])] * 10
    assert foreign(samples, OWN) == []  # in a container the own process may be called 9
    assert foreign(samples, None) == [9]


def test_in_a_container_the_own_process_is_known_though_it_came_later_and_left_earlier():
    lists = ([], [], [9], [9], [])
    assert foreign([Sample(at_s=0.0, pids=pids) for pids in lists], OWN) == []
    assert foreign([Sample(at_s=0.0, pids=pids) for pids in (*lists, [8])], OWN) == [8, 9]


def test_what_a_desktop_drew_before_the_watch_does_not_count(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    asked, before, library = [], time.time() * 1e6, Desktop()
    library.nvmlDeviceGetProcessUtilization = lambda handle, since: asked.append(since) or []
    GpuSource(Gpu(library), SimpleNamespace(others_share=lambda: 0.0)).sample()
    assert before <= asked[0] + 1 <= time.time() * 1e6 + 1


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


def test_memory_is_told_of_the_gpu_and_of_the_only_process_on_it(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    library = Desktop()
    library.nvmlDeviceGetMemoryInfo = lambda handle: SimpleNamespace(used=900 << 20)
    source = GpuSource(Gpu(library), SimpleNamespace(others_share=lambda: 0.0))
    alone = source.sample()
    library.compute.add(9)
    beside = source.sample()
    assert (alone.used_mib, alone.process_mib, beside.process_mib) == (900, 300, None)
