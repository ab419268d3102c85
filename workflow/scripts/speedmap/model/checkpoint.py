"""Read YOLOv5 checkpoints as data: no code of the file, or of the package that wrote it, is run."""

import json
import re
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from torch import Tensor
from torch.serialization import safe_globals

from speedmap.model import file_kind, pickled_network, standard
from speedmap.model.file_kind import CheckpointError
from speedmap.model.pickle_guard import standins
from speedmap.model.pickled_network import LONGEST_NAME, Module, Named
from speedmap.model.standard import DifferentError

NUMBER = re.compile(r"[0-9]{1,9}")
LAYERS = 25  # of every YOLOv5 with three strides; the P6 models have 34


@dataclass(frozen=True)
class Checkpoint:
    """The tensors of a checkpoint, float32, in the official naming, and its class names where the file has them.

    eps: of the batch norms, by name, where the file tells; all others have the 1e-3 of a YOLOv5.
    """

    tensors: dict[str, Tensor]
    names: tuple[str, ...] | None
    eps: dict[str, float] = field(default_factory=dict)


def load(path: Path) -> Checkpoint:
    """Read a pickled module or state dict (.pt, .pth), or a .safetensors file.

    Raises CheckpointError for a file that is missing, truncated, of another kind, not a YOLOv5 with three strides, or
    that asks for anything but tensors and the classes of a YOLOv5.
    """
    try:
        file_kind.check(path)
        return (_safetensors if file_kind.is_safetensors(path) else _pickled)(path)
    except (CheckpointError, PermissionError):
        raise
    except Exception as error:  # whatever a stranger's file drives its readers to
        cause = f"{type(error).__name__}: {' '.join(str(error).split())}"[:200]
        raise CheckpointError(f"{path}: damaged, or not a checkpoint ({cause}); copy or fetch it again") from error


def given(path: Path, arrays: dict[str, np.ndarray], names: object) -> Checkpoint:
    """Make a checkpoint of arrays in the official naming that were read from another kind of file."""
    return Checkpoint({name: torch.from_numpy(array.copy()) for name, array in arrays.items()}, _names(path, names))


def _safetensors(path: Path) -> Checkpoint:
    with safetensors.safe_open(path, "pt") as file:
        names = (file.metadata() or {}).get("names")
    tensors = _state_dict(path, safetensors.torch.load_file(path))
    return Checkpoint(tensors, _names(path, json.loads(names) if names else None))


def _pickled(path: Path) -> Checkpoint:
    classes = [(type("Module", (Module,), {"name": name}), name) for name in standins(path)]
    with safe_globals(classes), warnings.catch_warnings(action="ignore"):
        content = torch.load(path, map_location="cpu", weights_only=True)
    network = pickled_network.find(content)
    names = next((one for one in map(_names_in, (network, content)) if one is not None), None)
    if isinstance(network, Module):
        tensors = _float32(path, pickled_network.tensors(network))
        return Checkpoint(*_checked(path, network, tensors, _names(path, names)))
    if not network:
        raise CheckpointError(f"{path}: holds no network and no state dict; give a YOLOv5 checkpoint")
    return Checkpoint(_state_dict(path, network), _names(path, names))


def _names_in(holder: object) -> object:
    """Return the class names that a network, or what it is wrapped in, holds."""
    state = holder.state if isinstance(holder, Module) else holder
    return Named.of(state).names if isinstance(state, dict) else None


def _checked(path: Path, network: Module, tensors: dict[str, Tensor], names: tuple[str, ...] | None) -> tuple:
    _check_detector(path, tensors, network.kind)
    try:
        eps = standard.check(network, tensors)
    except DifferentError as error:
        raise CheckpointError(f"{path}: {error}; networks other than YOLOv5 v5.0 to v7.0 are not supported") from error
    except (KeyError, RuntimeError, TypeError, AttributeError) as error:
        cause = " ".join(str(error).split())[:200]
        raise CheckpointError(
            f"{path}: is no standard YOLOv5 v5.0 to v7.0 ({cause}); other networks are not supported"
        ) from error
    return tensors, names, eps


def _state_dict(path: Path, named: dict[str, Tensor]) -> dict[str, Tensor]:
    tensors = _float32(path, pickled_network.official(pickled_network.plain(named)))
    _check_detector(path, tensors, "")
    return tensors


def _check_detector(path: Path, tensors: dict[str, Tensor], kind: str) -> None:
    if f"model.{LAYERS - 1}.anchors" in tensors:
        return
    what = ""
    if any(".dfl." in name for name in tensors):
        what = "; this is of Ultralytics' newer package (YOLOv8, YOLOv5u, YOLO11, YOLO26 ...)"
    elif other := next((match[1] for name in tensors if (match := re.fullmatch(r"model\.(\d+)\.anchors", name))), None):
        what = f"; this has {int(other) + 1} layers"
    elif kind == "Ensemble":
        what = "; this is several networks together"
    raise CheckpointError(f"{path}: no YOLOv5 v5.0 to v7.0 detector with three strides (no model.24.anchors){what}; "
                          "P6, segmentation and other networks are not supported")  # fmt: skip


def _float32(path: Path, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Turn tensors into float32, having made sure that they are plain numbers and all of them are in the file."""
    for name, tensor in tensors.items():
        plain = tensor.layout == torch.strided and tensor.device.type == "cpu"
        if not plain or not (tensor.is_floating_point() or name.endswith("num_batches_tracked")):
            kind = f"{tensor.dtype}, {tensor.layout}, on {tensor.device}"
            raise CheckpointError(f"{path}: {name} is {kind}, not plain floats; give the weights from before that")
    if sum(tensor.nbytes for tensor in tensors.values()) > path.stat().st_size:
        raise ValueError("its tensors are larger than the file")
    return {name: tensor.detach().float() for name, tensor in tensors.items()}


def _names(path: Path, names: object) -> tuple[str, ...] | None:
    """Return class names in the order of their numbers, which JSON and YAML may have written as texts."""
    if isinstance(names, dict):
        if odd := [key for key in names if not NUMBER.fullmatch(str(key))]:
            raise CheckpointError(
                f"{path}: has a class name under {odd[0]!r}, which is no number; number the names"[:300]
            )
        names = [names[key] for key in sorted(names, key=lambda key: (int(str(key)), str(key)))]
    if not isinstance(names, list | tuple):
        return None
    if odd := [name for name in names if not isinstance(name, str | int | float | None)]:
        raise CheckpointError(f"{path}: has class names that are no texts ({type(odd[0]).__name__}); save texts, "
                              "or the state dict alone")  # fmt: skip
    return tuple(str(name)[:LONGEST_NAME] for name in names)
