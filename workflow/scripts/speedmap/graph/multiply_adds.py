"""Which part of a network's work runs in which precision."""

from pathlib import Path

import numpy as np
import onnx
from onnx.shape_inference import infer_shapes


def count(path: Path, imgsz: int) -> dict[str, int]:
    """Count the multiply-adds of each convolution of an ONNX file, by node name, for an input of imgsz x imgsz."""
    model = onnx.load(path)
    for axis in (2, 3):
        model.graph.input[0].type.tensor_type.shape.dim[axis].dim_value = imgsz
    graph = infer_shapes(model, data_prop=True).graph
    shapes = {value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in graph.value_info}
    shapes |= {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    return {
        node.name: int(np.prod(shapes[node.output[0]]) * np.prod(shapes[node.input[1]][1:])) for node in convolutions
    }


def shares(work: dict[str, int], precisions: dict[str, str]) -> dict[str, float]:
    """Sum up the share of multiply-adds by precision; a layer of unknown precision counts as `unknown`."""
    total, by_precision = sum(work.values()), {}
    for name, operations in work.items():
        precision = precisions.get(name, "unknown")
        by_precision[precision] = by_precision.get(precision, 0) + operations
    return {precision: operations / total for precision, operations in sorted(by_precision.items())}
