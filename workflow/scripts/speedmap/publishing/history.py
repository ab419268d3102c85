"""Every figure that was ever measured here, one line each, and how it moved."""

import json
from pathlib import Path

from speedmap import storage
from speedmap.accuracy.paired_difference import SURE
from speedmap.results.cell_result import CellResult
from speedmap.results.measured import Accuracy, Speed


def lines(rows: list[CellResult]) -> list[dict]:
    """Sum up each record in one line."""
    return [_speed(row) for row in rows if row.speed] + [_accuracy(row) for row in rows if row.accuracy]


def _speed(row: CellResult) -> dict:
    summary = row.speed.summary
    return {**_identity(row, row.speed), "figure": "speed", "value": summary.median_ms,
            "low": summary.median_low_ms, "high": summary.median_high_ms, "quotable": row.speed.quotable}  # fmt: skip


def _accuracy(row: CellResult) -> dict:
    value, error = row.accuracy.metrics.map, row.accuracy.metrics.map_se
    return {
        **_identity(row, row.accuracy),
        "figure": "mAP",
        "value": value,
        "low": None if error is None else value - SURE * error,
        "high": None if error is None else value + SURE * error,
    }


def _identity(row: CellResult, record: Speed | Accuracy) -> dict:
    return {
        "measured": record.measured,
        "commit": record.environment.commit,
        "platform": record.environment.platform,
        "cell": row.title,
        "valid": not row.invalid,
    }


def append(path: Path, rows: list[CellResult]) -> None:
    """Append the lines that a history does not have yet; what stands in it is never touched."""
    written = path.read_text("utf-8").splitlines() if path.exists() else []
    known = {_key(json.loads(line)) for line in written}
    new = [json.dumps(entry) for entry in lines(rows) if _key(entry) not in known]
    with storage.atomic(path) as temporary:
        temporary.write_text("".join(line + "\n" for line in dict.fromkeys([*written, *new])), "utf-8")


def _key(line: dict) -> tuple:
    """Tell which figure a line is of, whatever the version that wrote it says beside."""
    return tuple(json.dumps(line.get(name)) for name in ("measured", "cell", "figure", "value", "valid"))


def read(path: Path) -> list[dict]:
    """Read a history, the oldest line first."""
    return sorted(map(json.loads, path.read_text("utf-8").splitlines()), key=lambda line: line["measured"])
