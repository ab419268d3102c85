"""One measurement of one cell: open the engine, measure, and gather what its record must say."""

import hashlib
import json
from contextlib import nullcontext
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

from speedmap import accuracy, coco, differences, environment, map_error, records, stats
from speedmap.cells import Cell
from speedmap.clock import Protocol
from speedmap.errors import UserError
from speedmap.speed import sequence, time_engine, time_phases
from speedmap.watch import watch


class Unstable(UserError):
    """A run that is worth a second one, in a process of its own."""


def speed(
    module: ModuleType, cell: Cell, engine: Path, data: dict, imgsz: int, protocol: dict, audit: dict | None
) -> dict:
    """Time an engine over the data set's mix of shapes, and the phases around it, the machine watched meanwhile.

    audit: of the engine; None for torch, which runs what it says. Returns the measured part of a speed record.
    """
    dynamic = cell.shape == "dynamic"
    order = sequence(data["images"], imgsz, dynamic)
    timing = Protocol(protocol["warmup_s"], protocol["min_s"], protocol["min_samples"])
    with module.Session(engine, cell) as session:
        watched = watch()
        measured = time_engine(session, order, imgsz, dynamic, timing, watched)
        files = [file for _, file in order]
        phases = time_phases(session, files, imgsz, dynamic, protocol["conf"], protocol["iou"])
        facts = session.facts
    return {
        **measured,
        "phases": phases,
        "alternatives": _alternatives(module, cell, engine, order, imgsz, timing),
        "imgsz": imgsz,
        "dataset": describe(data),
        "session": facts,
        "audit": audit or {"precision": facts["precision"], "shares": {facts["precision"]: 1.0}, "invalid": []},
        "watch": watched.result,
        "warnings": measured["doubts"] + watched.result["warnings"],
    }


def _alternatives(
    module: ModuleType, cell: Cell, engine: Path, order: list[tuple[str, str]], imgsz: int, timing: Protocol
) -> dict[str, dict]:
    """Time an engine in the other ways that its module knows; the summary of each by name."""
    found = {}
    for name, opened in getattr(module, "alternatives", dict)().items():
        with opened(engine, cell) as session:
            found[name] = time_engine(session, order, imgsz, cell.shape == "dynamic", timing, nullcontext())["summary"]
    return found


def demand_stable(measured: dict, attempt: int) -> None:
    """Refuse an unstable run at the first attempt; the second is taken as it is, and carries the mark."""
    unstable = [doubt for doubt in measured["doubts"] if doubt.startswith(stats.UNSTABLE)]
    if unstable and attempt == 1:
        raise Unstable(f"{unstable[0]}; it is measured once more in a fresh process")


def score(
    module: ModuleType, cell: Cell, engine: Path, data: dict, imgsz: int, protocol: dict
) -> tuple[dict, list[dict]]:
    """Detect in every image of the data set and score it; returns the accuracy record's part, and the COCO results."""
    categories = [category["id"] for category in data["categories"]]
    with module.Session(engine, cell) as session:
        found = accuracy.find(session, data["images"], imgsz, cell.shape == "dynamic", protocol, categories)
        facts = session.facts
    return {
        **judge(Path(data["annotations"]), found, [image["id"] for image in data["images"]]),
        "imgsz": imgsz,
        "dataset": describe(data),
        "session": facts,
        "warnings": [] if found else ["no detections at all"],
    }, found


def describe(data: dict) -> dict:
    """Name a data set's inventory and hash what it holds: images with their annotations, and calibration images."""
    calibration = "".join(image["sha256"] for image in data["calibration"])
    return {
        "name": data["name"],
        "images": len(data["images"]),
        "sha256": data["sha256"],
        "calibration_sha256": hashlib.sha256(calibration.encode()).hexdigest(),
    }


def judge(annotations: Path, found: list[dict], image_ids: list[int]) -> dict:
    """Score COCO results; returns the metrics, `map_se` among them, and the jackknife's influences behind that.

    map_se: the standard error of map over other images like these, None when nothing was found.
    """
    if not found:
        return {"metrics": {**dict.fromkeys(coco.METRICS, 0.0), "map_se": None}, "jackknife": {}}
    evaluation = coco.evaluation(annotations, found, image_ids)
    influences = map_error.influences(evaluation)
    error = differences.standard_error(influences["map"])
    return {"metrics": {**coco.metrics(evaluation), "map_se": error}, "jackknife": influences}


def complete(measured: dict, cell: Cell, module: ModuleType, built: dict, protocol: dict, code: str) -> dict:
    """Add to what was measured the cell, the protocol, the environment and the artefact it was measured on.

    built: the record beside the engine. code: fingerprint of the code that measured.
    """
    artefact = {key: built[key] for key in ("engine_sha256", "onnx_sha256", "weights_sha256") if built.get(key)}
    identity = {"cell": asdict(cell), "protocol": protocol, "artefact": artefact, "measured": _now()}
    return {**identity, "environment": {**environment.capture(module.platform()), "code": code}, **measured}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def write_detections(path: Path, found: list[dict]) -> None:
    """Write a COCO result file."""
    with records.atomic(path) as temporary:
        temporary.write_text(json.dumps(found))
