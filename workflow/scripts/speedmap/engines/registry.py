"""The backends by name, and the choice between them."""

import importlib
import sys
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType

from speedmap.errors import UserError

MODULES = {
    "tensorrt": "engines.tensorrt.session",
    "openvino": "engines.openvino",
    "torch": "engines.pytorch",
    "null": "engines.null",
}
ORDER = ("tensorrt", "openvino")  # what `auto` tries
BINDING = ("gpu", "compute_capability", "tensorrt", "openvino")  # of a platform: what its engines are bound to


class BackendError(UserError):
    """A backend that was asked for but cannot run here."""


def engine(backend: str) -> ModuleType:
    """Import a backend's module: build, Session, audit, usable, platform, and whether its sessions run ON_GPU."""
    try:
        return importlib.import_module(f"speedmap.{MODULES[backend]}")
    except ModuleNotFoundError as error:
        raise BackendError(f"{backend} needs the package {error.name}, which is not installed; see envs/") from error


def choose(wanted: str) -> str:
    """Resolve `auto` to the first backend that can run here, and say on stderr why not an earlier one.

    Raises BackendError when the wanted backend cannot run.
    """
    obstacles = []
    for backend in ORDER if wanted == "auto" else (wanted,):
        why_not = obstacle(backend)
        if why_not is None:
            return backend
        obstacles.append(why_not)
        if wanted == "auto":
            print(f"{backend} is not used: {why_not}", file=sys.stderr)
    raise BackendError(f"backend: {wanted} cannot run here: {'; '.join(obstacles)}")


def obstacle(backend: str) -> str | None:
    """Say why a backend cannot run here; None when it can."""
    try:
        return engine(backend).usable()
    except BackendError as error:
        return str(error)


def platform(backend: str) -> dict:
    """Say what an engine of the backend depends on besides its graph: a change of it means to build anew."""
    return engine(backend).platform()


def planned(wanted: str, given: dict | None) -> tuple[str, dict]:
    """Resolve the backend and its platform: this machine's, unless one is given because the jobs run elsewhere.

    Raises BackendError when the wanted backend cannot run here, or a platform is given for no backend in particular.
    """
    if given is None:
        backend = choose(wanted)
        return backend, platform(backend)
    if wanted == "auto":
        raise BackendError("platform: is given, but for which backend? name it, as describe_platform.py prints both")
    return wanted, given


def check_torch(backend: str) -> None:
    """Refuse a PyTorch for CPUs beside TensorRT: its columns would hold another device's figures."""
    try:
        installed = version("torch")
    except PackageNotFoundError:  # the jobs that need it will say so
        return
    if backend == "tensorrt" and installed.endswith("+cpu"):
        raise BackendError(
            f"torch {installed} is for CPUs only; install a GPU's environment (envs/), or set torch: false"
        )


def demand(expected: dict, here: dict) -> None:
    """Refuse to build on another platform than was planned for; another driver is none.

    Raises BackendError with the key that differs.
    """
    for key in BINDING:
        if expected.get(key) != here.get(key):
            raise BackendError(
                f"planned for {key} {expected.get(key)}, but this node has {here.get(key)}; choose nodes by gpu_model "
                "in the profile, or set platform in the config"
            )
