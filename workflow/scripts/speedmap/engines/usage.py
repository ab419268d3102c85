"""What one needs to use an engine outside of this project: the metadata beside it, and to open it by these."""

from pathlib import Path

from speedmap.dataset import images, letterbox
from speedmap.engines import registry
from speedmap.engines.interface import Session
from speedmap.graph.detector_graph import INPUT, OUTPUT
from speedmap.model.postprocess import MAX_DET
from speedmap.results import metadata, records
from speedmap.results.inventory import Dataset
from speedmap.results.metadata import ArtefactError
from speedmap.results.protocols import AccuracyProtocol
from speedmap.results.speed import Speed
from speedmap.results.usage import Input, Output, Usage


def beside(record: Path) -> Path:
    """Name the metadata of the engine that a speed record is of; those of a further build have its number, too."""
    return record.with_name(record.name.replace("speed", "metadata"))


def describe(timed: Speed, data: Dataset) -> Usage:
    """Return the metadata of a timed engine: thresholds as its phases were timed with, classes as its scores come."""
    dynamic, protocol = timed.cell.shape == "dynamic", timed.protocol
    return Usage(
        cell=timed.cell,
        engine_sha256=timed.artefact.engine_sha256,
        classes=[category.name for category in data.categories],
        thresholds=AccuracyProtocol(conf=protocol.conf, iou=protocol.iou, max_det=MAX_DET),
        input=Input(
            name=INPUT,
            imgsz=timed.imgsz,
            batch=timed.cell.batch,
            dynamic=dynamic,
            stride=letterbox.STRIDE,
            padding=images.FILL,
        ),
        output=Output(name=OUTPUT),
        platform=timed.environment.platform,
        versions=timed.environment.versions,
    )


def opened(folder: Path) -> tuple[Usage, Session]:
    """Open the engine in a cell's folder, not yet entered; ArtefactError for another file than the metadata are of."""
    engine, facts = folder / "engine", beside(folder / "speed.json")
    metadata.demand_there(engine)
    if not facts.is_file():
        raise ArtefactError(
            f"{facts}: not there; give the folder of a cell whose speed was measured (foreign ones have none)"
        )
    usage = records.read(facts, Usage)
    metadata.demand_unchanged(engine, usage.engine_sha256, facts)
    return usage, registry.backend(usage.cell.backend).session(engine, usage.cell)
