"""TensorRT on this machine: finding it, saying why not, and its messages."""

import ctypes
import functools
import importlib
import importlib.metadata
import logging
import os
import re
import sys
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

from speedmap.errors import UserError
from speedmap.errors import known as catalogue
from speedmap.machine.nvml import Gpu, Identity, NoGpu

# By major version: oldest, newest GPU. 10 is in no list of envs/; it is there for those who have it installed already.
CAPABILITIES = {8: ((5, 0), (9, 0)), 10: ((7, 5), None), 11: ((7, 5), None)}
DEVICES = ("/dev/nvidiactl", "/dev/dxg", "/dev/nvmap")  # of the driver: Linux, WSL, Jetson

log = logging.getLogger(__name__)


class EngineError(UserError, RuntimeError):
    """An engine that cannot be built, opened or run; the message names the cause and the remedy."""


@functools.cache
def load() -> ModuleType:
    """Import TensorRT and let Polygraphy find the same module; EngineError says where its library was looked for."""
    rtx = os.environ.get("POLYGRAPHY_USE_TENSORRT_RTX") == "1"  # Polygraphy's own switch
    names = ("tensorrt_rtx", "tensorrt_rtx_bindings") if rtx else ("tensorrt", "tensorrt_bindings")
    failures = []
    for name in names:
        try:
            module = importlib.import_module(name)
        except (ImportError, OSError) as error:  # OSError: a library that the bindings open is missing
            failures.append(f"{name}: {error}")
            continue
        sys.modules.setdefault(names[0], module)
        return module
    path = os.environ.get("LD_LIBRARY_PATH", "")
    raise EngineError(
        f"TensorRT cannot be imported ({'; '.join(failures)}); libnvinfer was looked for in the package tensorrt_libs "
        f"and in LD_LIBRARY_PATH={path!r}; install envs/gpu.txt"
    )


@functools.cache
def logger() -> Any:
    """Return the one TensorRT logger of this process: keeps errors and memory peaks, hands warnings to `logging`."""
    trt = load()

    class Log(trt.ILogger):
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.errors: list[str] = []
            self.peak: dict[str, int] = {}

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.ERROR, trt.ILogger.INTERNAL_ERROR):
                self.errors.append(message.strip())
            if severity in (trt.ILogger.ERROR, trt.ILogger.INTERNAL_ERROR, trt.ILogger.WARNING):
                log.warning("TensorRT: %s", message.strip())
            self.peak |= memory_peak(message)

    return Log()


def memory_peak(message: str) -> dict[str, int]:
    """Read the builder's peak memory in MiB off its message, {} from any other."""
    found = re.search(r"Peak memory usage.*?CPU (\d+) MiB, GPU (\d+) MiB", message)
    return {"peak_host_mib": int(found[1]), "peak_gpu_mib": int(found[2])} if found else {}


def explain(errors: list[str], what: str) -> EngineError:
    """Turn TensorRT's error messages into one error with cause and remedy, if the catalogue knows any of them."""
    text = " | ".join(errors[-3:]) or "TensorRT gave no reason"
    if said := catalogue.said(" | ".join(errors)):
        return EngineError(f"{what}: {said} ({text})")
    return EngineError(f"{what}: {text}; report this with the ONNX file and the TensorRT version")


def usable() -> str | None:
    """Return None when TensorRT can run here, else one line that says why not."""
    try:
        version, gpu = load().__version__, Gpu().identity()
        return _two_versions(version, library()) or unfit(version, gpu, cuda_of_wheels())
    except (EngineError, NoGpu) as error:
        driver = any(Path(device).exists() for device in DEVICES)
        return str(error) if driver else f"no NVIDIA GPU and driver here: there is none of {', '.join(DEVICES)}"


def unfit(version: str, gpu: Identity, cuda_major: int | None) -> str | None:
    """Return why a GPU or its driver does not fit a TensorRT version, None when they fit.

    cuda_major: the CUDA that TensorRT was built for, None when unknown.
    """
    oldest, newest = CAPABILITIES.get(int(version.split(".")[0]), ((0, 0), None))
    known = re.fullmatch(r"(\d+)\.(\d+)", gpu.compute_capability)
    if known and not oldest <= (capability := (int(known[1]), int(known[2]))) <= (newest or capability):
        return (f"TensorRT {version} does not run on {gpu.gpu} (compute capability {gpu.compute_capability}); "
                "name another GPU in CUDA_VISIBLE_DEVICES, or set backend: openvino")  # fmt: skip
    if cuda_major and int(gpu.cuda_driver.split(".")[0]) < cuda_major:
        return (f"driver {gpu.driver} runs CUDA {gpu.cuda_driver}, TensorRT {version} needs CUDA {cuda_major}; "
                "update the driver, or install an older TensorRT (envs/)")  # fmt: skip
    return None


@functools.cache  # reads the metadata of every package
def cuda_of_wheels() -> int | None:
    """Read the CUDA major version off the names of the installed TensorRT wheels (tensorrt_cu13_bindings)."""
    names = (distribution.metadata["Name"] or "" for distribution in importlib.metadata.distributions())
    majors = {int(found[1]) for name in names if (found := re.match(r"tensorrt[-_]cu(\d+)[-_]bindings", name))}
    return min(majors, default=None)


def library() -> tuple[str, tuple[int, int]] | None:
    """Return the path and (major, minor) of the libnvinfer that this process has loaded; None when it is unknown."""
    try:
        mapped = re.search(r"/\S*/libnvinfer\.so\S*", Path("/proc/self/maps").read_text())
        number = ctypes.CDLL(mapped[0]).getInferLibVersion() if mapped else 0
    except (OSError, AttributeError):
        return None
    return (mapped[0], decoded(number)) if mapped else None


def decoded(number: int) -> tuple[int, int]:
    """Read (major, minor) off libnvinfer's version number: 8601 is 8.6, 101300 is 10.13."""
    return (number // 10000, number // 100 % 100) if number >= 10000 else (number // 1000, number // 100 % 10)


def _two_versions(version: str, found: tuple[str, tuple[int, int]] | None) -> str | None:
    if found and ".".join(map(str, found[1])) != ".".join(version.split(".")[:2]):
        there = ".".join(map(str, found[1]))
        return f"TensorRT's Python part is {version}, but {found[0]} is {there}; keep one of them on LD_LIBRARY_PATH"
    return None


def platform() -> dict[str, str]:
    """Name what an engine is bound to; creates no CUDA context.

    Raises NoGpu, or EngineError also for a GPU or driver that does not fit: TensorRT 10 and 11 crash there.
    """
    version, gpu = load().__version__, Gpu().identity()
    if reason := unfit(version, gpu, cuda_of_wheels()):
        raise EngineError(reason)
    return {"tensorrt": version, **asdict(gpu)}
