"""What the records of both jobs, speed and accuracy, say beside what was measured."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from msgspec import structs

from speedmap import storage
from speedmap.errors import UserError, anew
from speedmap.results import records
from speedmap.results.accuracy import Accuracy, Evaluated
from speedmap.results.cell import Cell
from speedmap.results.environment import Artefact, Environment, Run
from speedmap.results.prepared import Engine, Weights
from speedmap.results.protocols import AccuracyProtocol, SpeedProtocol
from speedmap.results.speed import Speed, Timed

M = TypeVar("M", Speed, Accuracy)


class ArtefactError(UserError):
    """An engine that is not the one that its record describes."""


def built(engine: Path, record: Path) -> Artefact:
    """Name an engine or network by the record beside it; ArtefactError when that file is gone or has changed since."""
    demand_there(engine)
    described = records.read(record, Weights if engine.suffix == ".safetensors" else Engine)
    demand_unchanged(engine, described.engine_sha256, record)
    if isinstance(described, Engine):
        return Artefact(engine_sha256=described.engine_sha256, onnx_sha256=described.onnx_sha256)
    return Artefact(engine_sha256=described.engine_sha256, weights_sha256=described.weights_sha256)


def demand_there(engine: Path) -> None:
    """Raise ArtefactError where no engine is."""
    if not engine.is_file():
        raise ArtefactError(f"{engine}: no such engine; {anew(engine)}")


def demand_unchanged(engine: Path, sha256: str, record: Path) -> None:
    """Raise ArtefactError where an engine is not the one, by its hash, that a record is of."""
    if storage.sha256(engine) != sha256:
        raise ArtefactError(f"{engine}: truncated or changed since {record.name} was written; {anew(engine, record)}")


def complete(
    kind: type[M],
    part: Timed | Evaluated,
    cell: Cell,
    protocol: SpeedProtocol | AccuracyProtocol,
    artefact: Artefact,
    environment: dict,
    code: str,
    run: dict,
) -> M:
    """Add to what was measured the cell, the protocol, the artefact, the environment and when it ran.

    environment: as machine.environment captures it. code: fingerprint of what measured. run: as the GPU's lease has it.
    """
    return kind(
        **structs.asdict(part),
        cell=cell,
        protocol=protocol,
        artefact=artefact,
        environment=Environment(**environment, code=code),
        measured=datetime.now(UTC).isoformat(timespec="seconds"),
        runs=[records.convert(run, Run)],
    )
