"""Read YOLOv5 checkpoints as data: no code of the file, or of the package that wrote it, is run."""

import json
import pickle
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor
from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals

from speedmap.errors import UserError

# What an official file names, besides tensors: modules of the network and of torch, and plain data.
KNOWN = ("models.yolo.", "models.common.", "models.experimental.", "torch.nn.modules.")
KNOWN_DATA = {"numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct", "numpy.ndarray",
              "numpy.dtype", "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar", "pathlib.PosixPath",
              "datetime.datetime"}  # fmt: skip
LAYERS = 25  # of every YOLOv5 with three strides; the P6 models have 34


class CheckpointError(UserError):
    """A file that is no usable YOLOv5 checkpoint; the message names the file, the cause and the remedy."""


@dataclass(frozen=True)
class Checkpoint:
    """The tensors of a checkpoint, float32, in the official naming, and its class names where the file has them."""

    tensors: dict[str, Tensor]
    names: tuple[str, ...] | None


class Module:
    """Stands in for any class of a pickled network: holds its state, has no behaviour."""

    def __init__(self, *args: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        self.state = state if isinstance(state, dict) else {}


def load(path: Path) -> Checkpoint:
    """Read a pickled module or state dict (.pt, .pth), or a .safetensors file.

    Raises CheckpointError for a file that is missing, truncated, compressed, not a YOLOv5 with three strides, or
    that asks for anything but tensors and the classes of a YOLOv5.
    """
    if not path.is_file():
        raise CheckpointError(f"{path}: no such weights file; check `weights`, or give a `url` to fetch it from")
    try:
        checkpoint = _safetensors(path) if path.suffix == ".safetensors" else _pickled(path)
    except (safetensors.SafetensorError, RuntimeError, OSError, EOFError, KeyError, pickle.UnpicklingError) as error:
        raise CheckpointError(f"{path}: truncated or not a checkpoint ({_line(error)}); fetch it again") from error
    if f"model.{LAYERS - 1}.anchors" not in checkpoint.tensors:
        raise CheckpointError(f"{path}: no YOLOv5 v5.0 to v7.0 detector with three strides (no model.24.anchors); "
                              "P6, segmentation and other networks are not supported")  # fmt: skip
    return checkpoint


def _line(error: Exception) -> str:
    return str(error).strip().split("\n")[0][:200]


def _safetensors(path: Path) -> Checkpoint:
    with safetensors.safe_open(path, "pt") as file:
        names = (file.metadata() or {}).get("names")
    tensors = {name: tensor.float() for name, tensor in safetensors.torch.load_file(path).items()}
    return Checkpoint(_official(tensors), _names(json.loads(names)) if names else None)


def _pickled(path: Path) -> Checkpoint:
    _check_archive(path)
    standins = [(type("Module", (Module,), {"name": name}), name) for name in _standins(path)]
    with safe_globals(standins):
        content = torch.load(path, map_location="cpu", weights_only=True)
    if isinstance(content, dict):
        content = content.get("ema") or content.get("model") or content.get("state_dict") or content
    if isinstance(content, Module):
        _check_modules(path, content)
        return Checkpoint(dict(_tensors(content)), _names(content.state.get("names")))
    if not isinstance(content, dict) or not any(isinstance(value, Tensor) for value in content.values()):
        raise CheckpointError(f"{path}: holds no network and no state dict; give a YOLOv5 checkpoint")
    tensors = {name: value.float() for name, value in content.items() if isinstance(value, Tensor)}
    return Checkpoint(_official(tensors), None)


def _check_archive(path: Path) -> None:
    """Refuse what torch would unpack beyond the file's own size, or could read only as an arbitrary pickle."""
    if not zipfile.is_zipfile(path):
        raise CheckpointError(f"{path}: no PyTorch archive (truncated, or saved before PyTorch 1.6); fetch it again, "
                              "or save it anew with a current PyTorch")  # fmt: skip
    with zipfile.ZipFile(path) as archive:
        if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
            raise CheckpointError(f"{path}: has compressed members, which PyTorch never writes; do not trust this file")


def _standins(path: Path) -> list[str]:
    wanted = get_unsafe_globals_in_checkpoint(path)
    if alien := sorted(name for name in wanted if not name.startswith(KNOWN) and name not in KNOWN_DATA):
        raise CheckpointError(f"{path}: asks for {', '.join(alien)}, which no YOLOv5 checkpoint needs; nothing of it "
                              "was run, do not trust this file")  # fmt: skip
    return wanted


def _children(module: Module) -> Iterator[tuple[str, Module]]:
    """Yield the named modules below one, itself first; a module that holds itself would be endless, so is refused."""
    stack, seen = [("", module)], 0
    while stack:
        prefix, current = stack.pop()
        seen += 1
        if seen > 10_000:
            raise KeyError("a module that contains itself")
        yield prefix, current
        children = current.state.get("_modules") or {}
        stack += [(f"{prefix}{name}.", child) for name, child in children.items() if isinstance(child, Module)]


def _tensors(module: Module) -> Iterator[tuple[str, Tensor]]:
    for prefix, child in _children(module):
        for name, tensor in {**child.state.get("_parameters", {}), **child.state.get("_buffers", {})}.items():
            if isinstance(tensor, Tensor) and name != "anchor_grid":  # stale in some files; follows from the anchors
                yield prefix + name, tensor.detach().float()


def _check_modules(path: Path, module: Module) -> None:
    for prefix, child in _children(module):
        kind = child.name.rsplit(".", 1)[-1]
        if child.name.startswith("torch.nn.modules.activation.") and kind != "SiLU":
            raise CheckpointError(f"{path}: {prefix[:-1]} is {kind}; only SiLU networks (v5.0 to v7.0) are supported")
        if kind == "MaxPool2d" and child.state.get("kernel_size") not in (5, 9, 13):
            raise CheckpointError(f"{path}: {prefix[:-1]} pools over {child.state.get('kernel_size')}, not 5, 9 or 13")


def _official(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Name the tensors of a plain state dict as the official modules do: `model.0.conv.weight`, no wrapper before."""
    prefix = next((name[: name.index("model.0.")] for name in tensors if "model.0." in name), "")
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if not name.endswith("anchor_grid")}


def _names(names: object) -> tuple[str, ...] | None:
    if isinstance(names, dict):
        names = [names[key] for key in sorted(names)]
    return tuple(map(str, names)) if isinstance(names, list | tuple) else None
