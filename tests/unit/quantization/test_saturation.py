"""Eight-bit products added in pairs in 16 bits, as a CPU without VNNI does (vpmaddubsw)."""

import numpy as np
import onnx
import pytest

from speedmap.engines import registry
from speedmap.engines.openvino import compile_graph
from speedmap.graph.detector_graph import INPUT, Graph
from speedmap.graph.onnx_runtime import opened
from speedmap.machine import cpu_features
from speedmap.quantization import insert_qdq, qdq_plan
from speedmap.quantization.options import Options

SIDE = 64
NARROW = qdq_plan.dialect("openvino", {"int8_sums": cpu_features.SATURATING})
PLAIN = Options(compensate=False, bias_correction=False)


@pytest.mark.parametrize("backend", sorted(set(registry.CLASSES) - {"torch"}))
@pytest.mark.parametrize("sums", [None, cpu_features.SATURATING])
def test_every_backend_that_has_int8_cells_has_a_convention(backend, sums):
    assert qdq_plan.dialect(backend, {"int8_sums": sums}) in qdq_plan.CONVENTIONS


@pytest.fixture(scope="module")
def stem(graph):
    """Return a detector up to the image's convolution, with weights that look for brightness, as real ones do."""
    model = onnx.load(graph)
    detector = Graph(model)
    conv = detector.convs[detector.first[0]]
    weight = np.abs(np.random.default_rng(0).normal(1, 0.2, detector.weight(conv.name).shape)).astype(np.float32)
    weight[:, :, :, ::2] *= -1  # edges
    for tensor in model.graph.initializer:
        if tensor.name == conv.input[1]:
            tensor.CopyFrom(onnx.numpy_helper.from_array(weight, tensor.name))
    del model.graph.node[[node.name for node in model.graph.node].index(conv.name) + 1 :]
    model.graph.output[0].CopyFrom(onnx.helper.make_tensor_value_info(conv.output[0], onnx.TensorProto.FLOAT, None))
    for axis in (2, 3):
        model.graph.input[0].type.tensor_type.shape.dim[axis].dim_value = SIDE
    return model


@pytest.fixture(scope="module")
def bright():
    return np.random.default_rng(0).uniform(0.8, 1, (1, 3, SIDE, SIDE)).astype(np.float32)


def error(found, expected):
    return np.sqrt(np.square(found - expected).mean() / np.square(expected).mean())


def added_in_16_bits(model, image):
    """Compute the convolution of `stem`, typed, with the products of channels 0 and 1 added in 16 bits."""
    graph = Graph(model)
    (conv,) = graph.convs.values()
    found = {attribute.name: attribute.ints for attribute in conv.attribute}
    scale, steps = graph.constant(f"{graph.image}/scale"), graph.constant(f"{conv.name}/weight/scale")
    weight = np.round(graph.constant(f"{conv.name}/weight") / steps.reshape(-1, 1, 1, 1)).astype(np.int64)
    levels = np.clip(np.round(image[0] / scale), 0, 255).astype(np.int64)
    assert graph.constant(f"{graph.image}/zero") == 0
    padded = np.pad(levels, ((0, 0), *[(found["pads"][0], found["pads"][2])] * 2))
    windows = np.lib.stride_tricks.sliding_window_view(padded, weight.shape[2:], (1, 2))
    windows = windows[:, :: found["strides"][0], :: found["strides"][1]]
    products = np.einsum("cyxhw,ochw->coyxhw", windows, weight, optimize=False)
    sums = np.clip(products[0] + products[1], -(2**15), 2**15 - 1) + products[2]
    total = sums.sum((3, 4)) * (scale * steps).reshape(-1, 1, 1)
    return (total + graph.constant(conv.input[2]).reshape(-1, 1, 1))[None]


def test_sums_of_a_bright_image_saturate_with_weights_of_eight_bits_and_not_with_seven(stem, statistics, bright):
    exact, errors = opened(stem)(bright), {}
    for dialect in ("openvino", NARROW):
        model = insert_qdq.quantize(stem, statistics, [], dialect, PLAIN)
        errors[dialect] = error(added_in_16_bits(model, bright), exact)
    assert errors["openvino"] > 0.1
    assert errors[NARROW] < 0.02


def test_openvino_computes_the_image_s_convolution_right_as_typed_for_this_cpu(stem, statistics, bright):
    dialect = qdq_plan.dialect("openvino", cpu_features.openvino_platform())
    compiled = compile_graph(insert_qdq.quantize(stem, statistics, [], dialect, PLAIN).SerializeToString())
    found = compiled.create_infer_request().infer({INPUT: bright})[compiled.output(0)]
    assert error(found, opened(stem)(bright)) < 0.02


@pytest.mark.skipif(
    cpu_features.openvino_platform()["int8_sums"] != cpu_features.SATURATING, reason="needs a CPU without VNNI"
)
def test_openvino_saturates_as_the_simulation_does(stem, statistics, bright):
    model = insert_qdq.quantize(stem, statistics, [], "openvino", PLAIN)
    compiled = compile_graph(model.SerializeToString())
    found = compiled.create_infer_request().infer({INPUT: bright})[compiled.output(0)]
    assert error(found, added_in_16_bits(model, bright)) < 1e-4


def test_only_the_image_s_convolution_has_weights_of_seven_bits(graph, statistics):
    model = onnx.load(graph)
    typed = Graph(insert_qdq.quantize(model, statistics, [], NARROW, PLAIN))
    largest = {
        name: np.abs(typed.constant(f"{name}/weight").reshape(len(steps), -1) / steps[:, None]).max()
        for name in typed.convs
        if (steps := typed.constant(f"{name}/weight/scale")).size
    }
    assert {name for name, top in largest.items() if top < 64.5} == set(Graph(model).first)
