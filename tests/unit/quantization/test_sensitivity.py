import json

import numpy as np
import onnx
import pytest
from msgspec import to_builtins

from helpers.networks import SIZE
from speedmap.dataset import images
from speedmap.graph import export, multiply_adds, onnx_runtime
from speedmap.graph.detector_graph import Graph
from speedmap.model import yolov5
from speedmap.model.postprocess import scores
from speedmap.quantization import float_price, insert_qdq, sensitivity
from speedmap.quantization.calibration import CalibrationError
from speedmap.quantization.options import Options
from speedmap.verification import validity


def output(*rows):
    return np.array([rows], np.float32)


ROW = (50, 50, 20, 10, 0.9, 0.8, 0.1)


def test_error_of_the_same_is_zero():
    assert sensitivity.error([output(ROW)], [output(ROW)]) == 0


def test_error_counts_only_what_was_seen():
    faint = (10, 10, 5, 5, 0.01, 0.5, 0.5)
    assert sensitivity.error([output(ROW, (99, 99, 9, 9, 0, 0, 0))], [output(ROW, faint)]) == 0
    assert sensitivity.error([output(faint)], [output(faint)]) == 0


def test_error_grows_with_boxes_and_scores():
    moved, fainter = (52, 50, 20, 10, 0.9, 0.8, 0.1), (50, 50, 20, 10, 0.6, 0.8, 0.1)
    assert sensitivity.error([output(moved)], [output(ROW)]) == pytest.approx(0.01, rel=1e-4)
    assert sensitivity.error([output(fainter)], [output(ROW)]) > 0.1


def test_error_of_a_box_is_bounded():
    assert sensitivity.error([output((1e6, 50, 20, 10, 0.9, 0.8, 0.1))], [output(ROW)]) == pytest.approx(1)


def test_affordable_takes_the_most_error_a_share_within_the_budget():
    errors, share = {"a": 4, "b": 3, "c": 2, "d": 1}, {"a": 0.5, "b": 0.04, "c": 0.05, "d": 0.01}
    assert sensitivity.affordable(errors, share, 0.1) == ["d", "b", "c"]
    assert sensitivity.affordable(errors, share, 0) == []


def test_groups_are_ranked_one_after_the_other_as_far_as_they_are_affordable():
    errors, share = {"a": 4, "b": 3, "head": 1, "large": 0}, {"a": 0.04, "b": 0.05, "head": 0.03, "large": 0.2}
    assert sensitivity.ranking([["head", "large"], list(errors)], errors, share, 0.1) == ["head", "a"]
    assert sensitivity.ranking([[], ["b"], list(errors)], errors, share, 0.1) == ["b", "a"]
    assert sensitivity.ranking([["head", "large"], list(errors)], errors, share, 0) == []


@pytest.mark.parametrize(("target", "expected"), [(100, 0), (0.5, 2), (0.101, 10), (0, 10)])
def test_fewest_meets_the_target_or_takes_all(target, expected):
    count, reached = sensitivity.fewest(lambda count: 1 / max(count, 0.1), 10, target)
    assert count == expected
    assert reached == 1 / max(count, 0.1)


@pytest.mark.parametrize(("target", "expected"), [(0.3, 1), (0.1, 2), (0, 3)])
def test_an_error_that_grows_again_hides_no_choice(target, expected):
    errors = [0.5, 0.3, 0.2, 0.4]
    assert sensitivity.fewest(errors.__getitem__, 3, target) == (expected, errors[expected])


def test_spread_reaches_over_all():
    assert sensitivity.spread(list(range(10)), 5) == [0, 2, 4, 6, 8]
    assert sensitivity.spread([1, 2], 5) == [1, 2]


def judged(record):
    """Judge a choice by what the graph of its cell notes of it."""
    return validity.missed(**{name: getattr(record, name) for name in insert_qdq.NOTED})


def test_an_unreachable_target_is_stated_and_the_share_kept(graph, statistics, pictures):
    options = Options(images=8, scan=1, target=1e-9, least_share=0.9, compensate=False)
    record = sensitivity.choose(graph, statistics, pictures, SIZE, "tensorrt", options)
    assert not record.met
    assert record.reached > 0
    assert record.int8_share >= 0.9
    assert {row.conv for row in record.table if row.in_float} == set(record.in_float)
    json.dumps(to_builtins(record), allow_nan=False)
    (missed,) = judged(record)
    assert (missed.reached, missed.target, missed.int8_share) == (record.reached, 1e-9, record.int8_share)


def test_without_a_target_float_takes_what_the_share_allows(graph, statistics, pictures):
    options = Options(images=8, scan=1, least_share=0.9, compensate=False)
    record = sensitivity.choose(graph, statistics, pictures, SIZE, "openvino", options)
    spare = record.int8_share - 0.9
    assert spare >= 0
    assert all(row.in_float or row.share > spare for row in record.table)
    assert judged(record) == []


def test_for_tensorrt_the_ends_go_to_float_and_without_a_target_only_what_costs_no_time(graph, statistics, pictures):
    options = Options(images=8, scan=1, target=0, least_share=0, compensate=False)
    record = sensitivity.choose(graph, statistics, pictures, SIZE, "tensorrt", options)
    detector, work = Graph(onnx.load(graph)), multiply_adds.count(graph, SIZE)
    assert set(record.in_float) >= {*detector.head, *detector.first}
    assert {row.conv for row in record.table} == detector.convs.keys()
    sizes = float_price.elements(statistics.shapes)
    left = detector.convs.keys() - set(record.in_float)
    assert left
    assert all(float_price.price(detector, [name], record.in_float, sizes, work) > 0 for name in left)


@pytest.mark.parametrize("split", [True, False])
def test_no_target_takes_the_convolutions_at_a_split_range_to_float(graph, statistics, pictures, monkeypatch, split):
    detector = Graph(onnx.load(graph))
    maker = detector.convs[detector.second[0]]
    tensor = next(name for name in detector.producers if detector.activated(name) is maker)
    ends = {maker.name, *(node.name for node in detector.consumers[tensor])}
    monkeypatch.setattr(sensitivity, "better_ranges", lambda *_: {tensor: "split"} if split else {})
    options = Options(images=8, scan=1, target=1e-9, least_share=0, compensate=False)
    record = sensitivity.choose(graph, statistics, pictures, SIZE, "tensorrt", options)
    assert ends.isdisjoint(record.in_float) == split


def test_a_model_that_sees_nothing_is_an_error(graph, statistics, pictures, monkeypatch):
    monkeypatch.setattr(sensitivity, "SEEN", 1.0)
    with pytest.raises(CalibrationError, match=r"sees nothing in any of 2 calibration images.*dataset\.calibration"):
        sensitivity.choose(graph, statistics, pictures, SIZE, "tensorrt", Options(images=2))


def test_the_scan_takes_images_in_which_something_is_seen(graph, pictures, monkeypatch):
    model = onnx.load(graph)
    best = [float(scores(onnx_runtime.opened(model)(images.load(path, SIZE, True)[0])[0]).max()) for path in pictures]
    monkeypatch.setattr(sensitivity, "SEEN", sorted(best)[-2])
    batches, outputs = sensitivity._scanned(model, pictures, SIZE, True, 3)
    assert [float(scores(output[0]).max()) for output in outputs] == [max(best)]
    np.testing.assert_array_equal(batches[0], images.load(pictures[best.index(max(best))], SIZE, True)[0])


@pytest.mark.parametrize(("least", "kept"), [(0.0, 4), (1.0, 0)])
def test_of_the_ends_stays_in_float_what_the_share_allows(graph, least, kept):
    ends = sensitivity.affordable_ends(graph, SIZE, least)
    assert len(ends) == kept
    assert kept == 0 or "/model.0/conv/Conv" in ends


def test_the_head_of_many_classes_leaves_most_work_in_int8(tmp_path):
    path = tmp_path / "many.onnx"
    export.export(yolov5.random("n", 1000), path, SIZE, dynamic=False)
    shares = sensitivity.shares(multiply_adds.count(path, SIZE))
    kept = sensitivity.affordable_ends(path, SIZE, Options().least_share)
    assert sum(shares[name] for name in Graph(onnx.load(path)).head) > 0.25
    assert sum(shares[name] for name in kept) <= 0.1
