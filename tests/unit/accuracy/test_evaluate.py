import pytest

from helpers.record_factory import accuracy, dataset
from speedmap.accuracy import evaluate
from speedmap.results.cell import Cell
from speedmap.results.findings import NoDetections
from speedmap.results.measured import Evaluation

EVALUATION = Evaluation(metrics=accuracy(Cell("null", "yolov5n", "fp16", "static")).metrics, bootstrap={})


@pytest.fixture
def score(monkeypatch):
    """Score results, whatever is in them."""
    monkeypatch.setattr(evaluate, "judge", lambda annotations, results, ids: EVALUATION)
    return lambda results: evaluate.score(results, dataset(), 640, {"threads": 2})


def test_the_score_names_the_data_set_and_has_no_doubts_without_a_cause(score):
    evaluated = score([{"image_id": 1, "bbox": [0, 0, 1, 1]}])
    assert (evaluated.metrics, evaluated.bootstrap) == (EVALUATION.metrics, {})
    assert (evaluated.imgsz, evaluated.session, evaluated.warnings) == (640, {"threads": 2}, [])
    assert evaluated.dataset == dataset().named()


def test_nothing_found_is_a_warning(score):
    assert score([]).warnings == [NoDetections()]
