"""Which ranges are chosen by the error of the output, and which stay."""

import onnx
import pytest

from speedmap.graph.detector_graph import Graph
from speedmap.quantization import split_range
from speedmap.quantization.output_ranges import better_ranges
from speedmap.quantization.qdq_plan import joined


@pytest.fixture(autouse=True)
def copies_cost_time(monkeypatch):
    monkeypatch.setattr(split_range, "FILLED", 0)  # the detector has few channels


@pytest.fixture
def detector(graph):
    return Graph(onnx.load(graph))


@pytest.mark.parametrize(
    ("least", "usual", "chosen"),
    [
        ("mse", "power", {"mse"}),
        ("percentile", "power", {"percentile"}),
        ("power", "power", set()),
        ("max", "max", set()),
    ],
)
def test_a_range_that_does_much_of_the_harm_is_chosen_by_the_least_error(detector, least, usual, chosen):
    conv = detector.second[0]
    errors = dict.fromkeys(detector.convs, 1e-6) | {conv: 1}
    asked = []

    def judge(others, ranges_of):
        asked.append((conv in others, *ranges_of))
        return 0 if {*ranges_of.values()} == {least} else 1

    ranges_of = better_ranges(detector, detector.head, errors, True, usual, judge)
    assert ranges_of.keys() == ({detector.convs[conv].input[0]} if chosen else set())
    assert {*ranges_of.values()} == chosen
    assert {*asked} == {(False, detector.convs[conv].input[0])}  # it alone in eight bits, its own range alone changed


@pytest.mark.parametrize(
    ("single", "in_float", "tried"), [(True, "head", True), (False, "head", False), (True, "maker", False)]
)
def test_a_range_is_split_for_tensorrt_where_the_maker_computes_in_eight_bits(detector, single, in_float, tried):
    conv, asked = detector.second[0], set()
    kept = [*detector.head, *(detector.first if in_float == "maker" else [])]
    errors = dict.fromkeys(detector.convs, 1e-6) | {conv: 1}
    better_ranges(detector, kept, errors, single, "power", lambda _, ranges_of: asked.update(ranges_of.values()) or 1)
    assert asked == {"power", "mse", "percentile", *(["split"] if tried else [])}


@pytest.mark.parametrize(
    ("harm", "filled", "tried"),
    [(0.02, 0, set()), (0.05, 0, {"power", "split"}), (0.02, 32, {"power", "split"}), (0, 32, set())],
)
def test_splitting_is_tried_from_less_harm_on_than_other_ranges(detector, harm, filled, tried, monkeypatch):
    monkeypatch.setattr(split_range, "FILLED", filled)
    conv, asked = detector.second[0], set()
    others = [name for name in detector.convs if name not in (conv, *detector.head)]
    groups = {name: group for group in joined(detector, others, True) for name in group}
    parts = {name: 1 / len(group) for name, group in groups.items()}
    errors = {name: part * (1 - harm) / sum(parts.values()) for name, part in parts.items()} | {conv: harm}
    errors |= dict.fromkeys(detector.head, 0)

    def judge(rest, ranges_of):
        asked.update(ranges_of.values() if detector.convs[conv].input[0] in ranges_of else [])
        return 1

    better_ranges(detector, detector.head, errors, True, "power", judge)
    assert asked == tried


@pytest.mark.parametrize("harm", ["even", "in float"])
def test_no_range_is_tried_where_none_stands_out_or_what_does_stays_in_float(detector, harm):
    groups = joined(detector, list(detector.convs), True)
    errors = {name: 1 / len(group) for group in groups for name in group}
    errors |= {detector.head[0]: 1e6} if harm == "in float" else {}
    assert better_ranges(detector, detector.head, errors, True, "power", pytest.fail) == {}
