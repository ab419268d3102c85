"""A float32 graph as it is exported."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper


def plain():
    """Make a float32 detector of two heads, a sum of their decoded outputs, and a constant grid."""
    tensors = [
        numpy_helper.from_array(np.ones((3, 3, 1, 1), np.float32), "w"),
        numpy_helper.from_array(np.float32(2), "two"),
    ]
    nodes = [
        helper.make_node("Conv", ["images", "w"], ["stem"], name="stem"),
        helper.make_node("Sigmoid", ["stem"], ["active"], name="active"),
        helper.make_node("Conv", ["active", "w"], ["small"], name="small"),
        helper.make_node("Conv", ["active", "w"], ["large"], name="large"),
        helper.make_node("Mul", ["two", "two"], ["grid"], name="grid"),
        helper.make_node("Cast", ["grid"], ["cast"], name="cast", to=TensorProto.FLOAT),
        helper.make_node("Mul", ["small", "cast"], ["scaled"], name="scale"),
        helper.make_node("Add", ["scaled", "large"], ["output"], name="sum"),
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, None, None]) for name in ("images", "output")]
    graph = helper.make_graph(nodes, "plain", ends[:1], ends[1:], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
