"""The weights of a model in one form, whatever file they came in."""

import json
import re
import unicodedata
from pathlib import Path

import safetensors.torch
import torch

from speedmap import storage
from speedmap.errors import UserError
from speedmap.model import checkpoint, yolov5
from speedmap.results.prepared import Weights

LARGEST_ANCHOR = 1000  # in strides; official ones are at most 12


class WeightsError(UserError):
    """Weights that do not fit the network or the data set; the message names the file, the cause and the remedy."""


def normalise(
    model: str, source: str, classes: list[str], path: Path, content: checkpoint.Checkpoint | None = None
) -> Weights:
    """Read weights from any supported file, or make random ones, and write the fused network as safetensors.

    classes: names of the data set's categories, as many as the model must tell apart. content: of the file, where it
    has been read. Returns the record of the weights.
    """
    if source == "random":
        network, names, digest = yolov5.random(_size(model), len(classes)), None, None
    else:
        file = Path(source)
        content = content or checkpoint.load(file)
        network, names, digest = _build(file, content), content.names, storage.sha256(file)
        _check_values(file, network)
        _check_classes(file, network.model[24].values - 5, names, classes)
    with storage.atomic(path) as temporary:
        safetensors.torch.save_file(_contiguous(network), temporary, {"names": json.dumps(names)} if names else None)
    return Weights(
        model=model,
        source=source,
        weights_sha256=digest,
        parameters=sum(tensor.numel() for tensor in network.parameters()),
        names=names and list(names),
        random=digest is None,
        engine_sha256=storage.sha256(path),
    )


def _check_classes(file: Path, found: int, names: tuple[str, ...] | None, classes: list[str]) -> None:
    """Refuse other classes than the data set's, and the same in another order, which would find nothing but errors."""
    if found != len(classes):
        group = " (if one was left out that groups the others, give these another supercategory to keep it)"
        raise WeightsError(f"{file}: has {found} classes but dataset.annotations has {len(classes)} categories; "
                           "give weights that were trained on this data set's classes"
                           f"{group if found == len(classes) + 1 else ''}")  # fmt: skip
    if moved := _moved(list(map(_plain_name, names or ())), list(map(_plain_name, classes))):
        ours, theirs = names[moved[0]], dict(enumerate(classes)).get(moved[0])
        raise WeightsError(f"{file}: has the classes of dataset.annotations in another order ({ours!r} where that has "
                           f"{theirs!r}); number the categories as the model does")  # fmt: skip


def _moved(ours: list[str], theirs: list[str]) -> list[int]:
    """List the places of names that stand elsewhere in the other list; numbers are names only if all are the same."""
    single = {name for name in ours if ours.count(name) == theirs.count(name) == 1}
    moved = [index for index, name in enumerate(ours) if name in single and theirs.index(name) != index]
    return moved if sorted(ours) == sorted(theirs) or not all(ours[index].isdecimal() for index in moved) else []


def _plain_name(name: str) -> str:
    """Write a class name so that spellings of it are equal: without case, spaces, and what stands for them."""
    return re.sub(r"[\s_-]+", "", unicodedata.normalize("NFKC", name).casefold()) or name


def _build(file: Path, content: checkpoint.Checkpoint) -> yolov5.YOLOv5:
    try:
        return yolov5.build(content.tensors, content.eps)
    except (KeyError, RuntimeError, TypeError) as error:
        cause = " ".join(str(error).split())[:200]
        raise WeightsError(
            f"{file}: is no standard YOLOv5 v5.0 to v7.0 ({cause}); other networks are not supported"
        ) from error


def _check_values(file: Path, network: yolov5.YOLOv5) -> None:
    for name, tensor in network.state_dict().items():
        if not torch.isfinite(tensor).all():
            raise WeightsError(f"{file}: {name} has NaN or infinite values; take another checkpoint of the training")
    anchors = network.model[24].anchors
    if anchors.min() <= 0 or anchors.max() > LARGEST_ANCHOR:
        raise WeightsError(f"{file}: has anchors of {anchors.min():g} to {anchors.max():g} strides, from which no box "
                           "can come; take another checkpoint")  # fmt: skip


def _size(model: str) -> str:
    if found := re.search("yolov5([nsmlx])(?![a-z0-9]|[-_](seg|cls))", model):
        return found[1]
    raise WeightsError(f"{model}: random weights need a model name with yolov5n, s, m, l or x in it, to know the size; "
                       "yolov5s6 and the like, -seg and -cls are other networks")  # fmt: skip


def _contiguous(network: yolov5.YOLOv5) -> dict:
    return {name: tensor.contiguous() for name, tensor in network.state_dict().items()}


def network(path: Path) -> yolov5.YOLOv5:
    """Load what `normalise` wrote, fused and in evaluation mode."""
    return yolov5.build(safetensors.torch.load_file(path))
