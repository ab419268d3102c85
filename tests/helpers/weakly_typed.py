"""A graph with a type of each tensor, for a TensorRT that is told types and not asked for them."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper


def typed():
    """Make a convolution in Q/DQ with float16 around it, and a decoding in float32 after it."""
    weights = np.arange(-12, 12, dtype=np.int8).reshape(2, 3, 2, 2)
    tensors = [
        numpy_helper.from_array(weights, "w"),
        numpy_helper.from_array(np.array([0.1, 0.3], np.float16), "w_scale"),
        numpy_helper.from_array(np.zeros(2, np.int8), "w_zero"),
        numpy_helper.from_array(np.float16(0.02), "x_scale"),
        numpy_helper.from_array(np.int8(0), "x_zero"),
        numpy_helper.from_array(np.float32(640), "side"),
    ]
    nodes = [
        helper.make_node("Cast", ["images"], ["half"], name="in", to=TensorProto.FLOAT16),
        helper.make_node("QuantizeLinear", ["half", "x_scale", "x_zero"], ["q"], name="q"),
        helper.make_node("DequantizeLinear", ["q", "x_scale", "x_zero"], ["dq"], name="dq"),
        helper.make_node("DequantizeLinear", ["w", "w_scale", "w_zero"], ["dw"], name="dw", axis=0),
        helper.make_node("Conv", ["dq", "dw"], ["conv"], name="conv"),
        helper.make_node("Cast", ["conv"], ["single"], name="out", to=TensorProto.FLOAT),
        helper.make_node("Mul", ["single", "side"], ["output"], name="decode"),
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, channels, None, None])
            for name, channels in (("images", 3), ("output", 2))]  # fmt: skip
    graph = helper.make_graph(nodes, "typed", ends[:1], ends[1:], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
