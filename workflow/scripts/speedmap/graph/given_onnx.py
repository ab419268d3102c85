"""A YOLOv5 in an ONNX file that export.py wrote: its weights, its anchors and the names of its classes."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from onnx import ModelProto, helper

from speedmap.dataset import images
from speedmap.errors import UserError
from speedmap.graph import export, onnx_file, parts
from speedmap.graph.detector_graph import Graph, GraphError
from speedmap.graph.layers import ONLY, Layers
from speedmap.graph.onnx_runtime import session
from speedmap.model.yolov5 import YOLOv5

STRIDES = (8, 16, 32)
SIDE = 320  # of the input where it is free


@dataclass(frozen=True)
class Given:
    """A network as data.

    tensors: float32, of a fused state dict in the official naming. output: its name. sides: of the input in pixels, 0
    where free.
    """

    path: Path
    output: str
    tensors: dict[str, np.ndarray]
    names: object
    sides: tuple[int, int]


def read(path: Path) -> Given:
    """Read a detector's ONNX; GraphError, naming the file, for any other file."""
    model = onnx_file.load(path)
    names = onnx_file.names(path, model)
    height, width = (dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim[2:])
    try:
        layers = Layers(Graph(model))
        anchors = _anchors(model, layers, (height or SIDE, width or SIDE))
        tensors = layers.tensors()
    except GraphError as error:
        raise GraphError(f"{path}: {error}") from error
    tensors["model.24.anchors"] = anchors
    return Given(path, onnx_file.output(model), tensors, names, (height, width))


def difference(given: Given, network: YOLOv5, files: list[Path], imgsz: int) -> dict:
    """Run the file and the network that was made of it on images; ExportError unless they differ by rounding only."""
    height, width = given.sides
    free = not (height and width)
    batches = [images.load(file, max(height, width) or imgsz, free)[0] for file in files]
    cut = [batch[:, :, : height or None, : width or None] for batch in batches]
    try:
        return export.worst_difference(network, given.path, cut, given.output)
    except UserError:
        raise
    except Exception as error:
        raise _not_run(given.path, error) from error


def _anchors(model: ModelProto, layers: Layers, sides: tuple[int, int]) -> np.ndarray:
    """Return the anchors [3, n, 2] in strides.

    The decoding says them itself: of zeros, whose sigmoid is a half, it makes boxes at the centres of their cells, of
    the size of their anchors.
    """
    heads = [layers.convs[f"model.24.m.{level}"] for level in range(3)]
    channels = [len(layers.graph.constant(node.input[1])) for node in heads]
    grids = [(sides[0] // stride, sides[1] // stride) for stride in STRIDES]
    zeros = [np.zeros((1, count, *grid)) for count, grid in zip(channels, grids, strict=True)]
    rows = _decoded(model, [node.output[0] for node in heads], zeros)
    cells = sum(height * width for height, width in grids)
    count = rows.shape[1] / cells if rows.ndim == 3 else 0
    if not count.is_integer() or not count or any(size != count * rows.shape[2] for size in channels):
        raise GraphError(f"its output {list(rows.shape)} is not that of a YOLOv5, [1, anchors, 5 + classes]; {ONLY}")
    ends = np.cumsum([0, *(int(count) * height * width for height, width in grids)])
    levels = [rows[0, start:end] for start, end in pairwise(ends)]
    return np.stack([_sizes(*level, int(count)) for level in zip(levels, grids, STRIDES, strict=True)])


def _sizes(rows: np.ndarray, grid: tuple[int, int], stride: int, count: int) -> np.ndarray:
    """Return the anchors [n, 2] of a level in strides, from its rows [n * height * width, 5 + classes] of zeros."""
    rows = rows.reshape(count, *grid, -1)
    down, right = np.meshgrid(*((np.arange(side) + 0.5) * stride for side in grid), indexing="ij")
    sizes = rows[:, :1, :1, 2:4]
    expected = np.full_like(rows, 0.5)
    expected[..., 0], expected[..., 1], expected[..., 2:4] = right, down, sizes
    if not np.allclose(rows, expected, rtol=1e-3, atol=1e-3):
        raise GraphError(f"decodes boxes at stride {stride} otherwise than a YOLOv5 does; {ONLY}")
    return sizes[:, 0, 0] / stride


def _decoded(model: ModelProto, tensors: list[str], values: list[np.ndarray]) -> np.ndarray:
    """Run what stands behind the head's convolutions on values of theirs."""
    output, kind = onnx_file.output(model), model.graph.input[0].type.tensor_type.elem_type
    fed = dict(zip(tensors, (value.astype(helper.tensor_dtype_to_np_dtype(kind)) for value in values), strict=True))
    model.graph.value_info.extend(helper.make_tensor_value_info(name, kind, value.shape) for name, value in fed.items())
    try:
        decoding = parts.part(model, parts.leading(model.graph.node, [output], tensors), [output])
        return session(decoding.SerializeToString()).run([output], fed)[0].astype(np.float32)
    except Exception as error:
        raise _not_run("its decoding", error) from error


def _not_run(what: Path | str, error: Exception) -> GraphError:
    """Return the error for whatever a stranger's graph drives ONNX Runtime to."""
    cause = " ".join(str(error).split())[:150]
    return GraphError(f"{what}: cannot be run ({type(error).__name__}: {cause}); {onnx_file.AGAIN}")
