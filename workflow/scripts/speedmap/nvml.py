"""The GPU as NVML sees it: no CUDA context, so it is cheap to ask and disturbs nothing."""

import os
from typing import Any

from speedmap.errors import UserError


class NoGpu(UserError):
    """No GPU that NVML can see; the message says why."""


class Gpu:
    """The GPU that CUDA calls device 0, opened through NVML; `library` is pynvml, replaceable in tests."""

    def __init__(self, library: Any = None) -> None:
        self.library = library or _pynvml()
        try:
            self.library.nvmlInit()
            self.handle = self._handle(os.environ.get("CUDA_VISIBLE_DEVICES"))
        except self.library.NVMLError as error:
            raise NoGpu(f"no GPU: NVML says {error}; check that nvidia-smi works here") from error

    def _handle(self, visible: str | None) -> Any:
        first = visible.split(",")[0].strip() if visible is not None else "0"
        if first.isdigit():
            return self.library.nvmlDeviceGetHandleByIndex(int(first))
        if first.startswith(("GPU-", "MIG-")):
            return self.library.nvmlDeviceGetHandleByUUID(first)
        raise NoGpu(f"no GPU: CUDA_VISIBLE_DEVICES is {visible!r}; unset it, or name a GPU in it")

    def ask(self, name: str, *args: Any) -> Any:
        """Call nvmlDeviceGet`name` on the GPU; None where this GPU, driver or virtual machine does not tell.

        Raises NVMLError_GpuIsLost when the GPU has fallen off the bus.
        """
        try:
            value = getattr(self.library, f"nvmlDeviceGet{name}")(self.handle, *args)
        except self.library.NVMLError_GpuIsLost:
            raise
        except (self.library.NVMLError, AttributeError):
            return None
        return value.decode() if isinstance(value, bytes) else value

    def identity(self) -> dict[str, str]:
        """Name the GPU, its compute capability, the driver and the newest CUDA that the driver runs."""
        cuda, driver = self.library.nvmlSystemGetCudaDriverVersion(), self.library.nvmlSystemGetDriverVersion()
        capability = self.ask("CudaComputeCapability") or ("?",)
        return {
            "gpu": self.ask("Name") or "unknown GPU",
            "compute_capability": ".".join(map(str, capability)),
            "driver": driver.decode() if isinstance(driver, bytes) else driver,
            "cuda_driver": f"{cuda // 1000}.{cuda % 1000 // 10}",
        }


def _pynvml() -> Any:
    try:
        import pynvml
    except ImportError as error:
        raise NoGpu(f"no GPU: nvidia-ml-py cannot be imported ({error}); install envs/gpu.txt") from error
    return pynvml
