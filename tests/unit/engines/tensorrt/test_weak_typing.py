import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from helpers.weakly_typed import typed
from speedmap.engines.tensorrt import weak_typing


def test_a_weakly_typed_tensorrt_gets_float32_and_weights_that_quantize_to_the_same_integers():
    twin = weak_typing.widen(typed())
    onnx.checker.check_model(twin, full_check=True)
    assert [node.op_type for node in twin.graph.node] == [
        "QuantizeLinear", "DequantizeLinear", "QuantizeLinear", "DequantizeLinear", "Conv", "Mul",
    ]  # fmt: skip
    kinds = {tensor.data_type for tensor in twin.graph.initializer}
    assert TensorProto.FLOAT16 not in kinds
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in twin.graph.initializer}
    steps = np.array([0.1, 0.3], np.float16).astype(np.float32).reshape(2, 1, 1, 1)
    assert (np.round(tensors["dw_float"] / steps) == np.arange(-12, 12).reshape(2, 3, 2, 2)).all()


def test_the_twin_computes_what_the_typed_file_computes():
    onnxruntime = pytest.importorskip("onnxruntime")
    batch = np.random.default_rng(0).random((1, 3, 8, 8), np.float32)
    run = [onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"images": batch})[0]
           for model in (typed(), weak_typing.widen(typed()))]  # fmt: skip
    np.testing.assert_allclose(*run, atol=50)  # one step of the input: float16 may round to the next one


def test_only_what_the_file_types_float32_is_pinned():
    assert weak_typing.float_tensors(typed()) == {"output"}
    assert weak_typing.halved(typed())
    assert weak_typing.quantized(typed())
    assert not weak_typing.halved(weak_typing.widen(typed()))


def relued(reads, before):
    """Make `typed` with nodes before its quantization, its convolution reading a tensor, and a Relu after it."""
    model = typed()
    for position, node in enumerate(before):
        model.graph.node.insert(1 + position, node)
    names = [node.name for node in model.graph.node]
    model.graph.node[names.index("conv")].input[0] = reads
    model.graph.node.insert(names.index("conv") + 1, helper.make_node("Relu", ["conv"], ["relu"], name="relu"))
    return model


def test_what_the_file_types_float16_is_pinned():
    model = relued("half", [])  # a float16 convolution of the image
    assert weak_typing.half_tensors(model) == {"conv", "relu"}
    assert weak_typing.half_tensors(weak_typing.widen(model)) == set()


def test_convolutions_of_quantized_tensors_are_not_pinned():
    model = relued("dq", [helper.make_node("Sigmoid", ["half"], ["computed"], name="computed")])
    next(node for node in model.graph.node if node.name == "q").input[0] = "computed"
    assert weak_typing.half_tensors(model) == {"computed", "relu"}


def test_nothing_is_pinned_between_a_quantized_convolution_of_the_image_and_the_next_quantization():
    assert weak_typing.half_tensors(relued("dq", [])) == set()


def test_only_float_layers_are_pinned_where_others_need_no_pin():
    model = relued("dq", [helper.make_node("Sigmoid", ["half"], ["computed"], name="computed")])
    nodes = {node.name: node for node in model.graph.node}
    nodes["q"].input[0], nodes["out"].input[0] = "computed", "relu"
    assert weak_typing.half_tensors(model, needed=True) == {"computed", "relu"}  # which is read in float32
    after = [node.name for node in model.graph.node].index("relu") + 1
    for position, kind, names in ((0, "QuantizeLinear", ("relu", "q2")), (1, "DequantizeLinear", ("q2", "dq2"))):
        node = helper.make_node(kind, [names[0], "x_scale", "x_zero"], [names[1]], name=names[1])
        model.graph.node.insert(after + position, node)
    next(node for node in model.graph.node if node.name == "out").input[0] = "dq2"
    assert weak_typing.half_tensors(model) == {"computed", "relu"}
    assert weak_typing.half_tensors(model, needed=True) == {"computed"}


def test_a_float_convolution_of_a_rounded_tensor_is_pinned():
    model = relued("dq", [helper.make_node("Sigmoid", ["half"], ["computed"], name="computed")])
    model.graph.node[2].input[0] = "computed"
    conv = next(node for node in model.graph.node if node.name == "conv")
    model.graph.initializer.append(numpy_helper.from_array(np.ones((2, 3, 2, 2), np.float16), "float_w"))
    conv.input[1] = "float_w"
    assert "conv" in weak_typing.half_tensors(model)


def test_what_rounds_float16_is_named_weights_apart():
    assert weak_typing.rounding(typed()) == {"q", "dq"}
    assert weak_typing.rounding(weak_typing.widen(typed())) == set()
