"""SiLU behind the image's convolution keeps its values in another form; what INT8 kernels know stays as it is."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from speedmap.engines.tensorrt import float_silu, weak_typing


def silu(name):
    return [
        helper.make_node("Sigmoid", [name], [f"{name}_gate"]),
        helper.make_node("Mul", [f"{name}_gate", name], [f"{name}_silu"]),
    ]


def rounded(name):
    return [
        helper.make_node("QuantizeLinear", [name, "scale", "zero"], [f"{name}_int8"]),
        helper.make_node("DequantizeLinear", [f"{name}_int8", "scale", "zero"], [f"{name}_rounded"]),
    ]


@pytest.fixture
def model():
    """Return a float convolution and one of eight bits, each with SiLU and a rounding behind it."""
    random = np.random.default_rng(0)
    tensors = {
        "stem": random.normal(0, 2, (4, 3, 3, 3)).astype(np.float32),
        "next": random.integers(-127, 128, (4, 4, 3, 3)).astype(np.int8),
        "scale": np.array(0.05, np.float32),
        "zero": np.array(0, np.int8),
    }
    nodes = [
        helper.make_node("Conv", ["images", "stem"], ["first"]),
        *silu("first"),
        *rounded("first_silu"),
        helper.make_node("DequantizeLinear", ["next", "scale", "zero"], ["next_float"]),
        helper.make_node("Conv", ["first_silu_rounded", "next_float"], ["second"]),
        *silu("second"),
        *rounded("second_silu"),
    ]
    graph = helper.make_graph(
        nodes,
        "two",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, 16, 16])],
        [helper.make_tensor_value_info("second_silu_rounded", TensorProto.FLOAT, [1, 4, 12, 12])],
        [numpy_helper.from_array(value, name) for name, value in tensors.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model


def run(model):
    images = np.random.default_rng(1).normal(0, 3, (1, 3, 16, 16)).astype(np.float32)
    return onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"images": images})[0]


def test_the_other_form_is_the_same_function(model):
    apart = float_silu.apart(model)
    onnx.checker.check_model(apart, full_check=True)
    np.testing.assert_allclose(run(apart), run(model), atol=0.05 * 1.001)  # one step of rounding
    assert np.mean(run(apart) != run(model)) < 0.01


def test_only_silu_of_a_convolution_in_float_is_written_apart(model):
    kinds = [node.op_type for node in float_silu.apart(model).graph.node]
    assert kinds.count("Tanh") == 1
    assert kinds.count("Sigmoid") == 1
    names = {name for node in float_silu.apart(model).graph.node for name in node.output}
    assert {"first_silu", "second_gate", "second_silu"} <= names
    assert "first_gate" not in names


def test_silu_that_more_than_roundings_read_stays(model):
    model.graph.output.append(helper.make_tensor_value_info("sum", TensorProto.FLOAT, [1, 4, 14, 14]))
    model.graph.node.append(helper.make_node("Identity", ["first_silu"], ["sum"]))
    assert "Tanh" not in [node.op_type for node in float_silu.apart(model).graph.node]


def test_a_half_graph_stays_half(model):
    for tensor in model.graph.initializer:
        if tensor.name == "stem":
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), "stem"))
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT16
    apart = float_silu.apart(model)
    constant = next(tensor for tensor in apart.graph.initializer if tensor.name.endswith("_constant"))
    assert constant.data_type == TensorProto.FLOAT16
    assert "first_silu_tanh" in weak_typing.half_tensors(apart)
