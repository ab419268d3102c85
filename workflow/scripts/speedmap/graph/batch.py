"""The same static graph for another number of images at a time."""

import numpy as np
from onnx import ModelProto
from onnx.shape_inference import infer_shapes

from speedmap.graph.detector_graph import Graph, GraphError

LEADING = {"Reshape": 1, "Resize": 3, "Expand": 1}  # operators and the input of theirs that holds a whole output shape


def batch_of(model: ModelProto) -> int:
    """Return how many images a graph takes at a time."""
    return model.graph.input[0].type.tensor_type.shape.dim[0].dim_value


def rebatched(model: ModelProto, batch: int) -> ModelProto:
    """Change the first dimension of a static graph of one image, in place, and of every shape that is written in it.

    Weights, scales and types stay as they are. Raises GraphError where the output does not follow.
    """
    graph = Graph(model)
    if graph.dynamic or batch_of(model) != 1:
        raise GraphError(f"{model.graph.name}: only a static graph of one image can take another batch; export it anew")
    expected = [batch, *_shape(model)[1:]]
    del model.graph.value_info[:]  # of one image
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = batch
    model.graph.output[0].type.tensor_type.ClearField("shape")  # to be inferred, not believed
    for node in graph.proto.node:
        position = LEADING.get(node.op_type, len(node.input))
        if position < len(node.input) and node.input[position]:
            node.input[position] = _written(graph, node.input[position], batch)
    inferred = infer_shapes(model, data_prop=True)
    if _shape(inferred) != expected:
        raise GraphError(f"{model.graph.name}: its output does not follow a batch of {batch}; leave the batch out")
    return inferred


def _written(graph: Graph, name: str, batch: int) -> str:
    """Return the name of the same shape for a batch, a new initializer where it begins with one image."""
    shape = graph.constant(name)
    if shape[0] != 1:
        return name
    changed = f"{name}-b{batch}"
    if changed not in {tensor.name for tensor in graph.proto.initializer}:
        graph.put(changed, np.concatenate(([batch], shape[1:])).astype(shape.dtype))
    return changed


def _shape(model: ModelProto) -> list[int]:
    """Return the shape of the output, 0 for what is not known."""
    return [dim.dim_value for dim in model.graph.output[0].type.tensor_type.shape.dim]
