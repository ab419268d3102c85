"""Which part of a network's work runs in which precision."""

from pathlib import Path

import numpy as np
import onnx
import onnx.numpy_helper
from onnx.shape_inference import infer_shapes


def count(path: Path, imgsz: int) -> dict[str, int]:
    """Count the multiply-adds of each convolution of an ONNX file, by node name, for an input of imgsz x imgsz."""
    model = onnx.load(path)
    for axis in (2, 3):
        model.graph.input[0].type.tensor_type.shape.dim[axis].dim_value = imgsz
    graph = infer_shapes(model, data_prop=True).graph
    shapes = {value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in graph.value_info}
    shapes |= {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    weights = {tensor.name: tensor for tensor in graph.initializer}
    return {
        node.name: int(np.prod(shapes[node.output[0]]) * shapes[node.input[1]][1])
        * _positions(weights.get(node.input[1]), shapes[node.input[1]][2:])
        for node in graph.node
        if node.op_type == "Conv"
    }


def _positions(weight: onnx.TensorProto | None, kernel: list[int]) -> int:
    """Count the positions of a kernel, without the rows and columns of zeros that only fill it up."""
    if weight is None or min(kernel) == 1:
        return int(np.prod(kernel))
    used = np.any(onnx.numpy_helper.to_array(weight), (0, 1))
    return int(used.any(0).sum() * used.any(1).sum()) or int(np.prod(kernel))


def shares(work: dict[str, int], precisions: dict[str, str]) -> dict[str, float]:
    """Sum up the share of multiply-adds by precision; a layer of unknown precision counts as `unknown`."""
    total, by_precision = sum(work.values()), {}
    for name, operations in work.items():
        precision = precisions.get(name, "unknown")
        by_precision[precision] = by_precision.get(precision, 0) + operations
    return {precision: operations / total for precision, operations in sorted(by_precision.items())}
