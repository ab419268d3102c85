import onnx
import pytest

from helpers.networks import SIZE
from speedmap.graph import multiply_adds
from speedmap.graph.detector_graph import Graph
from speedmap.quantization import float_price

STEM, SECOND = "/model.0/conv/Conv", "/model.1/conv/Conv"


@pytest.fixture(scope="module")
def detector(graph):
    return Graph(onnx.load(graph))


@pytest.fixture(scope="module")
def sizes(statistics):
    return float_price.elements(statistics.shapes)


def kinds(detector, kept, sizes):
    return sorted(how for _, how in float_price.conversions(detector, kept, sizes))


def test_in_eight_bits_throughout_only_the_image_is_converted(detector, sizes):
    tensor = detector.image
    assert float_price.conversions(detector, [], sizes) == {(tensor, "image"): float_price.IMAGE * sizes[tensor]}


def test_all_in_float_nothing_is(detector, sizes):
    assert float_price.conversions(detector, list(detector.convs), sizes) == {}


def test_a_float_head_asks_for_floats_of_three_tensors_two_of_them_rounded_too(detector, sizes):
    assert kinds(detector, detector.head, sizes) == ["image", "quantize", "quantize", "unfused", "unfused", "unfused"]


def test_a_float_stem_moves_the_conversion_behind_itself(detector, sizes):
    assert kinds(detector, [STEM], sizes) == ["quantize"]


def test_an_island_costs_both_of_its_sides(detector, sizes):
    inside = detector.residuals[0].conv
    assert kinds(detector, [STEM, inside], sizes) == ["quantize", "unfused"]
    assert kinds(detector, [STEM, "/model.5/conv/Conv"], sizes) == ["dequantize", "quantize", "quantize"]


def test_a_prefix_is_cheaper_than_an_island_of_its_last_layer(detector, sizes, graph):
    work = multiply_adds.count(graph, SIZE)
    grown = float_price.price(detector, [SECOND], [STEM], sizes, work)
    island = float_price.price(detector, ["/model.3/conv/Conv"], [STEM], sizes, work)
    assert grown < island
    assert island >= float_price.KERNEL_US


def test_islands_take_the_most_error_a_microsecond_within_the_budget(detector):
    names = list(detector.convs)
    share = dict.fromkeys(names, 0.01)
    errors = dict.fromkeys(names, 1.0) | {"/model.5/conv/Conv": 9.0, "/model.7/conv/Conv": 5.0}

    def cost(convs, _kept):
        return 10.0 if "/model.5/conv/Conv" in convs else 1.0 if len(convs) == 1 else 100.0

    order = float_price.islands(detector, [STEM], errors, share, 0.031, cost, free=False)
    assert order[0] == "/model.7/conv/Conv"
    assert len(order) == 2
    assert float_price.islands(detector, [STEM], errors, share, 0.031, cost, free=True) == []


def test_a_stage_that_costs_nothing_only_as_a_whole_is_taken_as_a_whole(detector):
    stage = [name for name in detector.convs if float_price.stage(name) == "model.2"]
    share, errors = dict.fromkeys(detector.convs, 0.001), dict.fromkeys(detector.convs, 1.0)

    def cost(convs, _kept):
        return -1.0 if list(convs) == stage else 5.0

    assert float_price.islands(detector, [STEM, SECOND], errors, share, 1, cost, free=True) == stage


def test_what_reads_the_stem_is_left_in_eight_bits_while_that_is(detector):
    share, errors = dict.fromkeys(detector.convs, 0.001), dict.fromkeys(detector.convs, 1.0)
    order = float_price.islands(detector, [], errors, share, 1, lambda convs, kept: 1.0, free=False)
    assert order.index(STEM) < order.index(SECOND)
