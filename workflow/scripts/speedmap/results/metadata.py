"""What the records of both jobs, speed and accuracy, say beside what was measured."""

import hashlib
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from speedmap import storage
from speedmap.errors import UserError
from speedmap.machine import environment
from speedmap.results import records
from speedmap.results.cell import Cell


def describe(data: dict) -> dict:
    """Name a data set's inventory and hash what it holds: images with their annotations, and calibration images."""
    calibration = "".join(image["sha256"] for image in data["calibration"])
    return {
        "name": data["name"],
        "images": len(data["images"]),
        "sha256": data["sha256"],
        "calibration_sha256": hashlib.sha256(calibration.encode()).hexdigest(),
    }


class ArtefactError(UserError):
    """An engine that is not the one that its record describes."""


def built(engine: Path, record: Path) -> dict:
    """Read the record beside an engine or network; ArtefactError when that file is gone or has changed since."""
    if not engine.is_file():
        raise ArtefactError(f"{engine}: no such engine; let snakemake build it")
    described = records.read(record)
    if storage.sha256(engine) != described["engine_sha256"]:
        raise ArtefactError(f"{engine}: truncated or changed since it was built; delete it and let snakemake build it")
    return described


def complete(measured: dict, cell: Cell, platform: dict, built: dict, protocol: dict, code: str) -> dict:
    """Add to what was measured the cell, the protocol, the environment and the artefact it was measured on.

    platform: the backend's. built: the record beside the engine. code: fingerprint of the code that measured.
    """
    artefact = {key: built[key] for key in ("engine_sha256", "onnx_sha256", "weights_sha256") if built.get(key)}
    identity = {"cell": asdict(cell), "protocol": protocol, "artefact": artefact, "measured": _now()}
    return {**identity, "environment": {**environment.capture(platform), "code": code}, **measured}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
