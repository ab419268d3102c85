from pathlib import Path
from types import SimpleNamespace

import pytest

from speedmap.accuracy import detect, evaluate
from speedmap.results.cell import Cell

CELL = Cell("null", "yolov5n", "fp16", "static")
ENVIRONMENT = {"platform": {"device": "null"}, "code": "a" * 12}


class Session:
    """Finds nothing; what it was given is counted by who calls it."""

    facts = {"precision": "fp16"}  # noqa: RUF012

    def __init__(self, engine, cell):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass


@pytest.fixture
def detected(monkeypatch):
    """Detect in parts of so many images; returns the parts, in each a detection an image."""

    def find(session, listed, imgsz, dynamic, protocol, categories):
        return [{"image_id": image["id"], "bbox": [0, 0, 1, 1]} for image in listed]

    def run(images, parts):
        data = {"images": [{"id": 7 * index} for index in range(images)], "categories": [{"id": 1}]}
        module = SimpleNamespace(Session=Session)
        common = {"artefact": {}, "protocol": {}, "environment": ENVIRONMENT, "runs": [{"gpu": None}]}
        return [
            common | detect.detect(module, CELL, Path("engine"), data, 640, {}, (number, parts))
            for number in range(1, parts + 1)
        ]

    monkeypatch.setattr(detect, "detect_images", find)
    return run


@pytest.fixture
def score(monkeypatch):
    """Score parts, whatever is in them."""
    monkeypatch.setattr(evaluate, "judge", lambda annotations, found, ids: {"metrics": {}, "bootstrap": {}})
    monkeypatch.setattr(evaluate, "describe", lambda data: {})
    data = {"annotations": "instances.json", "images": []}
    return lambda parts: evaluate.score(parts, data, "b" * 12)


@pytest.mark.parametrize("images", [1, 5, 250])
@pytest.mark.parametrize("parts", [1, 3, 7])
def test_parts_are_the_whole_in_its_order(detected, score, images, parts):
    parted = detected(images, parts)
    sizes = [len(part["detections"]) for part in parted]
    assert max(sizes) - min(sizes) <= 1
    _, found = score(list(reversed(parted)))
    assert [entry["image_id"] for entry in found] == [7 * index for index in range(images)]


def test_the_record_names_every_run_and_the_code_that_scored(detected, score):
    record, _ = score(detected(9, 3))
    assert record["runs"] == [{"gpu": None}] * 3
    assert record["environment"] == {**ENVIRONMENT, "code": "b" * 12}
    assert not {"part", "detections"} & record.keys()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"part": [1, 3]}, "are no whole"),
        ({"part": [2, 4]}, "are no whole"),
        ({"artefact": {"engine_sha256": "other"}}, "differ in artefact"),
        ({"protocol": {"conf": 0.5}}, "differ in protocol"),
        ({"environment": {"platform": {"device": "L4"}}}, "keep a cell on one kind of machine"),
    ],
)
def test_parts_that_do_not_belong_together_are_refused(detected, score, change, message):
    parts = detected(9, 3)
    parts[1] |= change
    with pytest.raises(evaluate.Mixed, match=message):
        score(parts)


def test_nothing_found_is_a_warning(detected, score):
    parts = detected(3, 1)
    parts[0]["detections"] = []
    assert score(parts)[0]["warnings"] == ["no detections at all"]
