import pytest

from speedmap.accuracy import evaluate


@pytest.fixture
def score(monkeypatch):
    """Score results, whatever is in them."""
    monkeypatch.setattr(evaluate, "judge", lambda annotations, results, ids: {"metrics": {}, "bootstrap": {}})
    monkeypatch.setattr(evaluate, "describe", lambda data: {"name": "tiny"})
    return lambda results: evaluate.score(results, {"annotations": "instances.json", "images": []})


def test_the_score_names_the_data_set_and_has_no_doubts_without_a_cause(score):
    record = score([{"image_id": 1, "bbox": [0, 0, 1, 1]}])
    assert record == {"metrics": {}, "bootstrap": {}, "dataset": {"name": "tiny"}, "warnings": []}


def test_nothing_found_is_a_warning(score):
    assert score([])["warnings"] == ["no detections at all"]
