"""The image's convolution over blocks of pixels gives what it gave; any other stem stays as it is."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from speedmap.engines.tensorrt import builder, image_blocks, weak_typing
from speedmap.engines.tensorrt.builder_config import Options


def detector(side=6, padding=2, stride=2, zeros=0, eight=True):
    """Make a typed graph of one convolution: the image, cast to float16, is rounded where it computes in eight bits."""
    random = np.random.default_rng(0)
    weight = random.integers(1, 127, (4, 3, side, side)).astype(np.int8 if eight else np.float16)
    weight[:, :, :zeros] = weight[:, :, :, :zeros] = 0
    tensors = {"weight": weight, "scale": np.array(1 / 127, np.float16), "zero": np.array(0, np.int8)}
    rounding = [
        helper.make_node("QuantizeLinear", ["half", "scale", "zero"], ["int8"]),
        helper.make_node("DequantizeLinear", ["int8", "scale", "zero"], ["rounded"]),
        helper.make_node("DequantizeLinear", ["weight", "scale", "zero"], ["weight_float"]),
    ]
    read = ["rounded", "weight_float"] if eight else ["half", "weight"]
    pads = {"pads": [padding] * 4} if padding is not None else {}
    conv = helper.make_node("Conv", read, ["made"], kernel_shape=[side, side], strides=[stride, stride], **pads)
    ends = [helper.make_node("Cast", ["images"], ["half"], to=TensorProto.FLOAT16), *(rounding if eight else ())]
    graph = helper.make_graph(
        [*ends, conv, helper.make_node("Cast", ["made"], ["output"], to=TensorProto.FLOAT)],
        "stem",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, 64, 32])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 4, None, None])],
        [numpy_helper.from_array(value, name) for name, value in tensors.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    return model


def run(model):
    widened = weak_typing.widen(model)
    onnx.checker.check_model(widened, full_check=True)
    images = np.random.default_rng(1).random((1, 3, 64, 32), np.float32)
    return onnxruntime.InferenceSession(widened.SerializeToString()).run(None, {"images": images})[0]


def kinds(model):
    return [node.op_type for node in model.graph.node]


@pytest.mark.parametrize("stem", [{}, {"side": 7, "padding": 3, "zeros": 1}], ids=["6 x 6", "7 x 7"])
def test_the_same_comes_out_of_a_3x3_convolution_over_blocks(stem):
    model = detector(**stem)
    blocks = image_blocks.over_blocks(model)
    assert kinds(blocks).count("SpaceToDepth") == 1
    [weight] = [tensor for tensor in blocks.graph.initializer if tensor.name == "weight"]
    assert tuple(weight.dims) == (4, 12, 3, 3)
    np.testing.assert_allclose(run(blocks), run(model), rtol=1e-5)


def test_the_image_is_put_in_blocks_before_it_is_rounded():
    widened = weak_typing.widen(image_blocks.over_blocks(detector()))
    assert [kind for kind in kinds(widened) if kind not in ("Cast", "Identity")][:2] == [
        "SpaceToDepth",
        "QuantizeLinear",
    ]


@pytest.mark.parametrize(("option", "blocks"), [("int8", 1), ("none", 0)])
def test_the_builder_takes_them_where_the_config_says_so(option, blocks):
    model = builder._spelled_out(detector(), Options(image_blocks=option))
    assert kinds(model).count("SpaceToDepth") == blocks


@pytest.mark.parametrize(
    "stem",
    [
        {"eight": False},
        {"side": 7, "padding": 3},
        {"side": 3, "padding": 1},
        {"stride": 1},
        {"padding": 1},
        {"padding": None},
    ],
    ids=["float", "7 x 7 without zeros", "3 x 3", "of stride 1", "padded otherwise", "without a word on padding"],
)
def test_any_other_stem_stays(stem):
    model = detector(**stem)
    assert image_blocks.over_blocks(model) == model
