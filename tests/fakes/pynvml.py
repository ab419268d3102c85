"""Stands in for pynvml: FAKE_GPUS names the host's GPUs, `H100=50,L4`, each with the percent of the time it is busy.

One called `sliced` is split by MIG.
"""

import os
from types import SimpleNamespace

NVML_CLOCK_SM, NVML_CLOCK_MEM, NVML_TEMPERATURE_GPU = 1, 2, 0


class NVMLError(Exception):
    pass


class NVMLError_GpuIsLost(NVMLError):
    pass


def _gpus():
    return [entry.partition("=") for entry in os.environ["FAKE_GPUS"].split(",") if entry]


def nvmlInit():
    if not _gpus():
        raise NVMLError("Driver Not Loaded")


def nvmlDeviceGetCount():
    return len(_gpus())


def nvmlDeviceGetHandleByIndex(index):
    if _gpus()[index][0] == "lost":
        raise NVMLError_GpuIsLost("GPU is lost")
    return index


def nvmlDeviceGetIndex(handle):
    return handle


def nvmlDeviceGetUUID(handle):
    return f"GPU-{handle}{handle}{handle}-fake"


def nvmlDeviceGetName(handle):
    return _gpus()[handle][0]


def nvmlDeviceGetMigMode(handle):
    return [int(_gpus()[handle][0] == "sliced")] * 2


def nvmlDeviceGetUtilizationRates(handle):
    return SimpleNamespace(gpu=int(_gpus()[handle][2] or 0))


def nvmlDeviceGetCudaComputeCapability(handle):
    return 9, 0


def nvmlSystemGetCudaDriverVersion():
    return 12080


def nvmlSystemGetDriverVersion():
    return "570.1"
