"""The GPU as NVML sees it: no CUDA context, so it is cheap to ask and disturbs nothing."""

import os
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

from speedmap.errors import UserError

# CUDA otherwise counts the fastest GPU first and NVML by PCI bus: the wrong GPU would be watched.
os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")


class NoGpu(UserError):
    """No GPU that NVML can see; the message says why."""


class Place(NamedTuple):
    """Which of the host's GPUs one is. index: as nvidia-smi numbers them."""

    index: int
    uuid: str | None


@dataclass(frozen=True)
class Identity:
    """What an engine depends on of a GPU. cuda_driver: the newest CUDA that the driver runs."""

    gpu: str
    compute_capability: str
    driver: str
    cuda_driver: str


class Gpu:
    """A GPU opened through NVML, that which CUDA calls device 0 if none is given; `library` is replaceable in tests."""

    def __init__(self, library: Any = None, handle: Any = None) -> None:
        self.library = library or _pynvml()
        self.handle = visible(self.library)[0].handle if handle is None else handle

    def place(self) -> Place:
        """Return which of the host's GPUs this is."""
        return Place(self.ask("Index"), self.ask("UUID"))

    def others(self) -> list["Gpu"]:
        """List the other GPUs of the host, as far as this process may see them."""
        own = self.place()
        return [gpu for gpu in present(self.library) if gpu.place() != own]

    def split(self) -> bool:
        """Return whether MIG splits the GPU into slices."""
        return bool((self.ask("MigMode") or [0])[0])

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

    def identity(self) -> Identity:
        """Name the GPU and its driver."""
        cuda, driver = self.library.nvmlSystemGetCudaDriverVersion(), self.library.nvmlSystemGetDriverVersion()
        capability = self.ask("CudaComputeCapability") or ("?",)
        return Identity(
            gpu=self.ask("Name") or "unknown GPU",
            compute_capability=".".join(map(str, capability)),
            driver=driver.decode() if isinstance(driver, bytes) else driver,
            cuda_driver=f"{cuda // 1000}.{cuda % 1000 // 10}",
        )


def present(library: Any) -> list[Gpu]:
    """List the GPUs of the host that NVML lets this process open; NoGpu when NVML does not work."""
    try:
        library.nvmlInit()
        indices = range(library.nvmlDeviceGetCount())
    except library.NVMLError as error:
        raise NoGpu(f"no GPU: NVML says {error}; check that nvidia-smi works here") from error
    found = []
    for index in indices:
        with suppress(library.NVMLError):  # lost, or not given to this container
            found.append(Gpu(library, library.nvmlDeviceGetHandleByIndex(index)))
    return found


def visible(library: Any = None) -> list[Gpu]:
    """List the GPUs that CUDA_VISIBLE_DEVICES leaves to this process, in its order; all of the host when it is unset.

    An index means what it means to nvidia-smi. NoGpu when none is left, or when what is named is a part of a GPU.
    """
    whole = [gpu for gpu in shown(library) if not gpu.split()]
    if not whole:
        raise NoGpu("no GPU: MIG splits each visible one, whose slices' clocks NVML does not tell; disable MIG")
    return whole


def shown(library: Any = None) -> list[Gpu]:
    """List what `visible` does, and those that MIG splits: beside one of these CUDA shows no whole GPU."""
    library = library or _pynvml()
    found, wanted = present(library), os.environ.get("CUDA_VISIBLE_DEVICES")
    if wanted is not None:
        found = _named(found, [name.strip() for name in wanted.split(",")])
    if not found:
        raise NoGpu(f"no GPU: CUDA_VISIBLE_DEVICES is {wanted!r}; unset it, or name a GPU in it")
    return found


def _named(every: list[Gpu], names: list[str]) -> list[Gpu]:
    """Pick GPUs by index or by the beginning of their UUID; as in CUDA, a name that fits none hides what follows it."""
    chosen: list[Gpu] = []
    for name in names:
        if name.startswith("MIG-"):
            raise NoGpu(f"no GPU: {name} is a MIG slice, whose clocks and load NVML does not tell; name a whole GPU")
        fitting = [gpu for index, gpu in enumerate(every) if str(index) == name or _begins(gpu, name)]
        if len(fitting) != 1:
            break
        chosen += fitting
    return chosen


def _begins(gpu: Gpu, name: str) -> bool:
    return name.startswith("GPU-") and (gpu.ask("UUID") or "").startswith(name)


def _pynvml() -> Any:
    try:
        import pynvml
    except ImportError as error:
        raise NoGpu(f"no GPU: nvidia-ml-py cannot be imported ({error}); install envs/gpu.txt") from error
    return pynvml
