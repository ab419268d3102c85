import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speedmap.model import postprocess
from speedmap.model.postprocess import Detections, candidates, detect, overlaps, suppress, to_coco
from speedmap.results.findings import BoxesOutside, NoDetections


def rows(*boxes):
    """Build raw rows of two classes from (x, y, w, h, objectness, a, b)."""
    return np.array(boxes, np.float32)


def test_candidates_are_anchor_class_pairs_above_the_threshold_best_first():
    found = candidates(rows((50, 50, 20, 10, 0.5, 0.9, 0.6), (9, 9, 2, 2, 0.1, 1, 1)), 0.2)
    assert found.scores == pytest.approx([0.45, 0.3])
    assert found.classes.tolist() == [0, 1]
    assert found.boxes[0].tolist() == [40, 45, 60, 55]


def test_suppression_is_by_class():
    same = (50, 50, 20, 20)
    output = rows((*same, 1, 0.9, 0.0), (*same, 1, 0.8, 0.0), (*same, 1, 0.0, 0.7))
    assert detect(output, 0.1, 0.5, 10).classes.tolist() == [0, 1]


def test_nothing_found_is_no_error():
    found = detect(rows((50, 50, 20, 20, 0, 0, 0)), 0.1, 0.5, 10)
    assert len(found.scores) == 0
    assert to_coco(found, 1, [1, 2]) == []


def plain(boxes, classes, iou, limit):
    """Suppress one box at a time, as the definition says."""
    kept = []
    for index in range(len(boxes)):
        rivals = [other for other in kept if classes[other] == classes[index]]
        if len(kept) < limit and all(overlaps(boxes[[index]], boxes[[other]])[0, 0] <= iou for other in rivals):
            kept.append(index)
    return kept


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 200), st.integers(1, 60))
def test_suppression_in_blocks_equals_the_definition(seed, count, limit):
    random = np.random.default_rng(seed)
    corners = random.uniform(0, 100, (count, 2))
    boxes = np.hstack((corners, corners + random.uniform(1, 40, (count, 2))))
    classes = random.integers(0, 3, count)
    found = suppress(Detections(boxes, np.linspace(1, 0.1, count), classes), 0.5, limit)
    assert found.boxes.tolist() == boxes[plain(boxes, classes, 0.5, limit)].tolist()


def test_coco_entries_have_width_and_height_and_the_category_of_the_data_set():
    found = Detections(np.array([[1.0, 2.0, 4.0, 8.0]]), np.array([0.123456]), np.array([1]))
    assert to_coco(found, 7, [1, 90]) == [{"image_id": 7, "category_id": 90, "bbox": [1, 2, 3, 6], "score": 0.12346}]


def test_an_output_of_another_model_is_refused():
    with pytest.raises(postprocess.OutputError, match="tells 2 classes apart, but the data set has 3"):
        postprocess.check(np.zeros((4, 7)), 3)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_an_output_that_is_not_finite_is_refused(value):
    output = np.zeros((4, 7), np.float32)
    assert postprocess.check(output, 2) is output
    output[1, 3] = value
    with pytest.raises(postprocess.OutputError, match="1 of 4 rows of an output have NaN or infinite values"):
        postprocess.check(output, 2)


@pytest.mark.filterwarnings("ignore:overflow")
def test_an_output_whose_sum_alone_overflows_is_taken():
    output = np.full((4, 6), 3e38, np.float32)
    assert postprocess.check(output, 1) is output


def test_boxes_outside_of_their_image_and_none_at_all_are_said():
    inside, outside = {"bbox": [1, 1, 5, 5]}, {"bbox": [64, 1, 0, 5]}
    assert postprocess.doubts([inside] * 99 + [outside]) == []
    assert postprocess.doubts([inside] * 9 + [outside]) == [BoxesOutside(1, 10)]
    assert postprocess.doubts([]) == [NoDetections()]
