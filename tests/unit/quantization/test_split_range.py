"""What SiLU gives, rounded as two copies that hold the lower and the upper part of its range."""

import numpy as np
import onnx
import pytest

from helpers.networks import SIZE
from speedmap.dataset import images
from speedmap.graph import onnx_runtime
from speedmap.graph.detector_graph import Graph
from speedmap.quantization import calibration, insert_qdq, ranges, sensitivity, split_range
from speedmap.quantization.options import Options
from speedmap.quantization.qdq_plan import TURING
from speedmap.results.prepared import Choice

SILU_LEAST = 0.2785


@pytest.fixture(scope="module")
def model(graph):
    """Return the detector with a first convolution of large values, as those of real networks are."""
    loud = onnx.load(graph)
    detector = Graph(loud)
    for name in detector.convs[detector.first[0]].input[1:]:
        detector.put(name, 20 * detector.constant(name))
    return loud


@pytest.fixture(scope="module")
def statistics(model, pictures, tmp_path_factory):
    path = tmp_path_factory.mktemp("loud") / "loud.onnx"
    onnx.save(model, path)
    return calibration.collect(path, pictures, SIZE)


@pytest.fixture(scope="module")
def tensor(model):
    """Name what the second convolution reads: the SiLU of the image's."""
    detector = Graph(model)
    return detector.convs[detector.second[0]].input[0]


def values_of(model, tensor, batch):
    twin = onnx.ModelProto()
    twin.CopyFrom(model)
    twin.graph.output.append(onnx.helper.make_empty_tensor_value_info(tensor))
    return onnx_runtime.session(twin.SerializeToString()).run([tensor], {twin.graph.input[0].name: batch})[0]


@pytest.mark.parametrize("dialect", ["tensorrt", TURING])
@pytest.mark.parametrize("in_float", ["head", "maker"])
def test_two_copies_add_up_to_the_tensor(model, tensor, statistics, pictures, dialect, in_float):
    detector = Graph(model)
    maker = detector.activated(tensor)
    kept = [*detector.head, *([maker.name] if in_float == "maker" else [])]
    one, two = (
        insert_qdq.quantize(model, statistics, kept, dialect, Options(), ranges_of={tensor: method})
        for method in ("mse", "split")
    )
    onnx.checker.check_model(two, full_check=True)
    batch = images.load(pictures[0], SIZE, dynamic=True)[0]
    inputs = values_of(one, maker.output[0], batch)  # of SiLU, the weights rounded
    lower, upper = np.split(values_of(two, f"{tensor}/rounded", batch), 2, axis=1)
    step = float(Graph(two).constant(f"{tensor}/scale"))
    assert inputs.max() > 127 * step == pytest.approx(lower.max())
    roundings = step * (2.2 if dialect == TURING else 1)  # before SiLU, too, whose slope is 1.1 at most
    change = np.abs(lower + upper - inputs / (1 + np.exp(-inputs)))
    assert change[inputs < 2 * 127 * step].max() < SILU_LEAST + roundings


@pytest.mark.parametrize("dialect", ["tensorrt", TURING])
def test_the_rest_of_a_graph_with_a_split_range_is_made_half(model, tensor, statistics, dialect):
    choice = Choice(in_float=Graph(model).head, table=[], ranges={tensor: "split"})
    typed = insert_qdq.type_int8(model, statistics, choice, dialect, Options())
    onnx.checker.check_model(typed, full_check=True)
    inferred = onnx.shape_inference.infer_shapes(typed, strict_mode=True).graph
    shapes = {value.name: value.type.tensor_type.shape for value in inferred.value_info}
    bias = Graph(typed).constant(f"{Graph(model).activated(tensor).name}/bias")
    assert bias.dtype == np.float16
    assert shapes[f"{tensor}/rounded"].dim[1].dim_value == len(bias)


def test_a_tensor_that_is_not_rounded_is_not_split(model, tensor, statistics):
    detector = Graph(model)
    kept = [*detector.head, *detector.second]
    plain, split = (
        insert_qdq.quantize(model, statistics, kept, "tensorrt", Options(), ranges_of=ranges_of)
        for ranges_of in ({}, {tensor: "split"})
    )
    assert split == plain


def test_the_output_changes_no_more_than_with_one_copy_of_half_the_range(model, tensor, statistics, pictures):
    batch = images.load(pictures[0], SIZE, dynamic=True)[0]
    expected = onnx_runtime.opened(model)(batch)
    others = Graph(model).convs.keys() - {*Graph(model).second}
    split = insert_qdq.quantize(model, statistics, others, "tensorrt", Options(), ranges_of={tensor: "split"})
    one = onnx.ModelProto()
    one.CopyFrom(insert_qdq.quantize(model, statistics, others, "tensorrt", Options()))
    Graph(one).put(f"{tensor}/scale", Graph(split).constant(f"{tensor}/scale"))  # which saturates
    changes = [np.square(onnx_runtime.opened(graph)(batch) - expected).mean() for graph in (split, one)]
    assert changes[0] < changes[1]


def test_the_scale_of_two_copies_halves_the_error_of_a_long_tail():
    counts = np.zeros(2 * ranges.HALF)
    values = (np.arange(-ranges.HALF, ranges.HALF) + 0.5) * 2**-7
    counts[values > 0] = 1e6 * np.exp(-values[values > 0] / 4)
    histogram = ranges.Histogram(counts, 2**-7, 0.0, 60.0)
    one, two = ranges.METHODS["mse"](histogram, True), split_range.scale(histogram, True)
    errors = [counts @ np.square(rounded - values) for rounded in (one.round(values), split_range._sum(values, two))]
    assert two.step < 0.7 * one.step
    assert errors[1] < errors[0] / 2


def test_two_splits_in_a_row_and_a_reader_in_float_compute_the_same_network(model, tensor, statistics, pictures):
    detector = Graph(model)
    second = next(name for name in detector.producers if detector.activated(name) is detector.convs[detector.second[0]])
    batch = images.load(pictures[0], SIZE, dynamic=True)[0]
    expected = onnx_runtime.opened(model)(batch)
    for in_float in ([], [detector.consumers[second][0].name]):
        kept = [*detector.head, *in_float]
        both = insert_qdq.quantize(
            model, statistics, kept, "tensorrt", Options(), ranges_of=dict.fromkeys([tensor, second], "split")
        )
        onnx.checker.check_model(both, full_check=True)
        one = insert_qdq.quantize(model, statistics, kept, "tensorrt", Options())
        changes = [sensitivity.error([onnx_runtime.opened(graph)(batch)], [expected]) for graph in (both, one)]
        assert changes[0] < 1.5 * changes[1]


def test_only_what_eight_bit_convolutions_alone_read_is_split(model, tensor):
    detector = Graph(model)
    maker, reader = detector.activated(tensor).name, detector.second[0]
    assert split_range.splittable(detector, tensor, detector.head)
    assert not split_range.splittable(detector, tensor, [maker])
    assert not split_range.splittable(detector, tensor, [reader])
    joined = next(node.input[0] for node in model.graph.node if node.op_type == "Concat")
    assert not split_range.splittable(detector, joined, detector.head)
    assert not split_range.splittable(detector, detector.image, detector.head)


@pytest.mark.parametrize(("channels", "free"), [(16, True), (17, False)])
def test_copies_cost_nothing_where_kernels_fill_up_the_channels(model, tensor, channels, free):
    twin = onnx.ModelProto()
    twin.CopyFrom(model)
    wide = Graph(twin)
    weight = wide.activated(tensor).input[1]
    wide.put(weight, np.zeros((channels, 3, 6, 6), np.float32))
    assert split_range.costless(wide, tensor) is free


@pytest.mark.parametrize("end", ["maker", "reader"])
def test_a_grouped_convolution_is_not_split(model, tensor, end):
    twin = onnx.ModelProto()
    twin.CopyFrom(model)
    detector = Graph(twin)
    conv = detector.activated(tensor) if end == "maker" else detector.convs[detector.second[0]]
    next(attribute for attribute in conv.attribute if attribute.name == "group").i = 2
    assert not split_range.splittable(detector, tensor, detector.head)


def test_what_a_convolution_gives_is_read_by_its_silu_alone(model, tensor):
    twin = onnx.ModelProto()
    twin.CopyFrom(model)
    source = Graph(twin).activated(tensor).output[0]
    twin.graph.node.append(onnx.helper.make_node("Relu", [source], ["besides"], "besides"))
    detector = Graph(twin)
    assert not split_range.splittable(detector, tensor, detector.head)


def test_the_convolutions_at_a_split_range_stay_in_eight_bits(model, tensor):
    detector = Graph(model)
    assert split_range.fixed(detector, {tensor: "split"}) == {detector.activated(tensor).name, detector.second[0]}
    assert split_range.fixed(detector, {tensor: "mse"}) == set()
