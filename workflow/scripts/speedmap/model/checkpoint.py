"""Read YOLOv5 checkpoints as data: no code of the file, or of the package that wrote it, is run."""

import json
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor
from torch.serialization import safe_globals

from speedmap.model.pickle_guard import CheckpointError, standins

LAYERS = 25  # of every YOLOv5 with three strides; the P6 models have 34
MOST_MODULES, LONGEST_NAME = 10_000, 200  # an official file has 300 modules


@dataclass(frozen=True)
class Checkpoint:
    """The tensors of a checkpoint, float32, in the official naming, and its class names where the file has them."""

    tensors: dict[str, Tensor]
    names: tuple[str, ...] | None


class Module:
    """Stands in for any class of a pickled network: holds its state, has no behaviour."""

    name = ""
    state: dict = {}  # noqa: RUF012 as long as the file gives it none

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
    if path.suffix == ".onnx":
        raise CheckpointError(f"{path}: ONNX files are not read; give the .pt or .safetensors file that it came from")
    try:
        tensors, names = _safetensors(path) if path.suffix == ".safetensors" else _pickled(path)
        found = Checkpoint(_checked(tensors, path.stat().st_size), _names(names))
    except CheckpointError:
        raise
    except Exception as error:  # whatever a stranger's file drives its readers to
        raise CheckpointError(f"{path}: truncated or not a checkpoint ({_line(error)}); fetch it again") from error
    if f"model.{LAYERS - 1}.anchors" not in found.tensors:
        raise CheckpointError(f"{path}: no YOLOv5 v5.0 to v7.0 detector with three strides (no model.24.anchors); "
                              "P6, segmentation and other networks are not supported")  # fmt: skip
    return found


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:200]


def _safetensors(path: Path) -> tuple[dict[str, Tensor], object]:
    with safetensors.safe_open(path, "pt") as file:
        names = (file.metadata() or {}).get("names")
    return _official(safetensors.torch.load_file(path)), json.loads(names) if names else None


def _pickled(path: Path) -> tuple[dict[str, Tensor], object]:
    classes = [(type("Module", (Module,), {"name": name}), name) for name in standins(path)]
    with safe_globals(classes), warnings.catch_warnings(action="ignore"):
        content = torch.load(path, map_location="cpu", weights_only=True)
    if isinstance(content, dict):
        content = content.get("ema") or content.get("model") or content.get("state_dict") or content
    if isinstance(content, Module):
        _check_modules(path, content)
        return dict(_tensors(content)), content.state.get("names")
    if not isinstance(content, dict) or not any(isinstance(value, Tensor) for value in content.values()):
        raise CheckpointError(f"{path}: holds no network and no state dict; give a YOLOv5 checkpoint")
    return _official({name: value for name, value in content.items() if isinstance(value, Tensor)}), None


def _checked(tensors: dict[str, Tensor], size: int) -> dict[str, Tensor]:
    """Turn tensors into float32, having made sure that they are plain numbers and all of them are in the file."""
    for name, tensor in tensors.items():
        plain = tensor.layout == torch.strided and tensor.device.type == "cpu"
        if not plain or not (tensor.is_floating_point() or name.endswith("num_batches_tracked")):
            raise ValueError(f"{name} is {tensor.dtype}, {tensor.layout}, on {tensor.device}, not plain floats")
    if sum(tensor.nbytes for tensor in tensors.values()) > size:
        raise ValueError("its tensors are larger than the file")
    return {name: tensor.detach().float() for name, tensor in tensors.items()}


def _children(module: Module) -> Iterator[tuple[str, Module]]:
    """Yield the named modules below one, itself first; ValueError where they are endless or too many."""
    stack, seen = [("", module)], 0
    while stack:
        prefix, current = stack.pop()
        seen += 1
        children = current.state.get("_modules") or {}
        if seen + len(stack) + len(children) > MOST_MODULES or len(prefix) > LONGEST_NAME:
            raise ValueError("modules that contain themselves, or too many of them")
        yield prefix, current
        stack += [(f"{prefix}{name}.", child) for name, child in children.items() if isinstance(child, Module)]


def _tensors(module: Module) -> Iterator[tuple[str, Tensor]]:
    for prefix, child in _children(module):
        for name, tensor in {**child.state.get("_parameters", {}), **child.state.get("_buffers", {})}.items():
            if isinstance(tensor, Tensor) and name != "anchor_grid":  # stale in some files; follows from the anchors
                yield prefix + name, tensor


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
    if not isinstance(names, list | tuple):
        return None
    if not all(isinstance(name, str | int) for name in names):
        raise ValueError("class names that are no texts")
    return tuple(str(name)[:LONGEST_NAME] for name in names)
