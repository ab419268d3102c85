import json

import pytest

from helpers.record_factory import dataset, speed
from speedmap import storage
from speedmap.engines import null, usage
from speedmap.results import records
from speedmap.results.cell import Cell
from speedmap.results.inventory import Category
from speedmap.results.metadata import ArtefactError
from speedmap.results.protocols import AccuracyProtocol
from speedmap.results.usage import Usage

CELL = Cell("null", "yolov5s", "int8", "dynamic")


@pytest.fixture
def folder(tmp_path):
    """A cell's folder with an engine that pretends, and the metadata of it."""
    engine = tmp_path / "engine"
    engine.write_text(json.dumps({"median_ms": 1.0, "classes": 2}))
    data = dataset(categories=[Category(id=7, name="ring"), Category(id=9, name="star")])
    described = usage.describe(speed(CELL, digest=storage.sha256(engine)), data)
    records.write(usage.beside(tmp_path / "speed.json"), described)
    return tmp_path


def test_the_metadata_of_an_engine_are_all_that_its_user_needs(folder):
    described = records.read(folder / "metadata.json", Usage)
    assert described.classes == ["ring", "star"]
    assert described.thresholds == AccuracyProtocol(conf=0.25, iou=0.45, max_det=300)
    assert (described.input.imgsz, described.input.dynamic, described.input.padding) == (640, True, 114)
    assert described.platform == {"gpu": "NVIDIA RTX 2060", "driver": "550", "tensorrt": "10.3.0"}
    assert described.versions == {"numpy": "2"}


def test_a_further_build_has_metadata_of_its_own(folder):
    assert usage.beside(folder / "speed.2.json") == folder / "metadata.2.json"


def test_an_engine_is_opened_by_its_metadata(folder):
    described, opened = usage.opened(folder)
    assert isinstance(opened, null.Session)
    assert described.cell == CELL


def test_another_engine_than_the_metadata_are_of_is_refused(folder):
    (folder / "engine").write_text("{}")
    with pytest.raises(
        ArtefactError,
        match=r"engine: truncated or changed since metadata\.json was written; .* -f \S+engine \S+metadata\.json`",
    ):
        usage.opened(folder)
    (folder / "engine").unlink()
    with pytest.raises(ArtefactError, match="engine: no such engine"):
        usage.opened(folder)


def test_an_engine_without_metadata_is_refused(folder):
    (folder / "metadata.json").unlink()
    with pytest.raises(ArtefactError, match="give the folder of a cell whose speed was measured"):
        usage.opened(folder)
