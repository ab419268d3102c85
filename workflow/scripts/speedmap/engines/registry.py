"""The backends by name, and the choice between them, which loads none: plans are made where none is installed."""

from importlib.util import find_spec
from pkgutil import resolve_name
from types import ModuleType
from typing import TYPE_CHECKING

from speedmap.errors import UserError
from speedmap.machine import cpu_features, environment

if TYPE_CHECKING:
    from speedmap.engines.interface import Backend

CLASSES = {
    "tensorrt": "engines.tensorrt.backend:TensorRT",
    "openvino": "engines.openvino:OpenVINO",
    "torch": "engines.pytorch:PyTorch",
    "null": "engines.null:Null",
}
ORDER = ("tensorrt", "openvino")  # what `auto` tries; the last runs on any machine
BINDING = ("gpu", "compute_capability", "tensorrt", "openvino", "int8_sums")  # of a platform, for its engines


class BackendError(UserError):
    """A backend that was asked for but cannot run here."""


def backend(name: str) -> "Backend":
    """Load a backend; BackendError when a package that it needs is missing."""
    try:
        return resolve_name(f"speedmap.{CLASSES[name]}")()
    except ModuleNotFoundError as error:
        raise BackendError(f"{name} needs the package {error.name}, which is not installed; see envs/") from error


def module(name: str) -> str:
    """Name the module of the library that a backend's class stands in."""
    return CLASSES[name].partition(":")[0]


def obstacle(name: str) -> str | None:
    """Return why a backend cannot run here; None when it can."""
    if name == "tensorrt":
        return _tensorrt_library().usable()
    if name == "openvino" and find_spec("openvino") is None:
        return "openvino needs the package openvino, which is not installed; see envs/"
    return None


def platform(name: str) -> dict:
    """Return what an engine of a backend depends on besides its graph, as far as this machine tells: else None."""
    if name != "tensorrt":
        return cpu_features.openvino_platform() if name == "openvino" else {"device": name}
    try:
        return _tensorrt_library().platform()
    except UserError:  # no GPU or no TensorRT: the jobs run elsewhere
        return dict.fromkeys(("tensorrt", "gpu", "compute_capability", "driver", "cuda_driver"))


def _tensorrt_library() -> ModuleType:
    return resolve_name("speedmap.engines.tensorrt.library")  # by name, so that an edit of it reruns no other backend


def planned(wanted: str, given: dict | None) -> tuple[str, dict]:
    """Resolve the backend and its platform: this machine's, unless one is given because the jobs run elsewhere.

    `auto` is the first backend that can run here, the last of ORDER where none can. Raises BackendError when a platform
    is given for no backend in particular.
    """
    if given is not None and wanted == "auto":
        raise BackendError("platform: is given, but for which backend? name it, as describe_platform.py prints both")
    if wanted == "auto":
        wanted = next((name for name in ORDER if obstacle(name) is None), ORDER[-1])
    return wanted, platform(wanted) if given is None else given


def check_usable(wanted: str, chosen: str) -> list[str]:
    """Return why backends before the chosen one are not used; BackendError with all reasons if it cannot run here."""
    tried = ORDER[: ORDER.index(chosen) + 1] if wanted == "auto" else (chosen,)
    reasons = {name: obstacle(name) for name in tried}
    if reasons[chosen]:
        raise BackendError(f"backend: {wanted} cannot run here: {'; '.join(filter(None, reasons.values()))}")
    return [f"{name} is not used: {why_not}" for name, why_not in reasons.items() if why_not]


def check_torch(name: str) -> None:
    """Refuse a PyTorch for CPUs beside TensorRT: its columns would hold another device's figures."""
    installed = environment.installed("torch")  # without any the jobs that need it will say so
    if name == "tensorrt" and installed and installed.endswith("+cpu"):
        raise BackendError(
            f"torch {installed} is for CPUs only; install a GPU's environment (envs/), or set torch: false"
        )


def demand(expected: dict, here: dict) -> None:
    """Refuse to build on another platform than was planned for; another driver is none.

    What the plan did not know is not demanded. Raises BackendError with the key that differs.
    """
    for key in BINDING:
        if expected.get(key) not in (None, here.get(key)):
            raise BackendError(
                f"planned for {key} {expected[key]}, but this node has {here.get(key)}; choose nodes by gpu_model "
                "in the profile, or set platform in the config"
            )
