import json

import pytest

from helpers.record_factory import accuracy, dataset
from speedmap.accuracy import evaluate
from speedmap.results.accuracy import Draws, Evaluation, OfClass
from speedmap.results.cell import Cell
from speedmap.results.environment import Opened
from speedmap.results.findings import NoDetections

EVALUATION = Evaluation(metrics=accuracy(Cell("null", "yolov5n", "fp16", "static")).metrics, bootstrap=Draws())


@pytest.fixture
def score(monkeypatch):
    """Score results, whatever is in them."""
    monkeypatch.setattr(evaluate, "judge", lambda annotations, results, ids: EVALUATION)
    return lambda results: evaluate.score(results, dataset(), 640, Opened(threads=2))


def test_the_score_names_the_data_set_and_has_no_doubts_without_a_cause(score):
    evaluated = score([{"image_id": 1, "bbox": [0, 0, 1, 1]}])
    assert (evaluated.metrics, evaluated.bootstrap) == (EVALUATION.metrics, Draws())
    assert (evaluated.imgsz, evaluated.session, evaluated.warnings) == (640, Opened(threads=2), [])
    assert evaluated.dataset == dataset().named()


def test_nothing_found_is_a_warning(score):
    assert score([]).warnings == [NoDetections()]


def judged(folder, objects, detections):
    """Score boxes against those of one image; all are of one class, x, y, width and height."""
    listed = [{"id": number, "image_id": 1, "category_id": 1, "bbox": box, "area": box[2] * box[3], "iscrowd": 0}
              for number, box in enumerate(objects)]  # fmt: skip
    truth = {"images": [{"id": 1}], "annotations": listed, "categories": [{"id": 1, "name": "a"}]}
    (folder / "truth.json").write_text(json.dumps(truth))
    results = [{"image_id": 1, "category_id": 1, "bbox": box, "score": 0.9} for box in detections]
    return evaluate.judge(folder / "truth.json", results, [1]).metrics


def test_metrics_are_those_of_their_thresholds_and_areas(tmp_path):
    metrics = judged(tmp_path, [[0, 0, 100, 100]], [[0, 0, 100, 62]])  # an overlap of 0.62, of a large object
    assert metrics.map == pytest.approx(0.3)  # at 0.5, 0.55 and 0.6 of ten thresholds
    assert (metrics.map50, metrics.map75) == pytest.approx((1, 0))
    assert (metrics.map_small, metrics.map_medium, metrics.map_large) == pytest.approx((-1, -1, 0.3))


def test_an_object_of_the_number_zero_is_found_like_any_other(tmp_path):
    boxes = [[0, 0, 40, 40], [50, 50, 40, 40]]
    assert judged(tmp_path, boxes, boxes).map == pytest.approx(1)


def test_each_class_has_its_ap_and_its_objects_whose_mean_is_the_map(tmp_path):
    square = {"image_id": 1, "bbox": [0, 0, 40, 40], "area": 1600}
    kinds = ((7, 0), (9, 0), (9, 1))
    found, missed, crowd = ({**square, "category_id": category, "iscrowd": many} for category, many in kinds)
    elsewhere = {**found, "image_id": 2}
    truth = {"images": [{"id": 1}, {"id": 2}], "categories": [{"id": n, "name": f"c{n}"} for n in (7, 8, 9)],
             "annotations": [{**one, "id": n} for n, one in enumerate((found, missed, crowd, elsewhere))]}  # fmt: skip
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    results = [{"image_id": 1, "category_id": 7, "bbox": [0, 0, 40, 40], "score": 0.9}]
    done = evaluate.judge(tmp_path / "truth.json", results, [1])
    assert done.classes == [OfClass(name="c7", ap=pytest.approx(1), objects=1), OfClass(name="c8", ap=-1, objects=0),
                            OfClass(name="c9", ap=0, objects=1)]  # fmt: skip
    assert done.metrics.map == pytest.approx(0.5)
