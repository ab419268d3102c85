"""Every figure that was ever measured here, one line each, and how it moved."""

from pathlib import Path

from msgspec import ValidationError, json

from speedmap import storage
from speedmap.accuracy.paired_difference import SURE
from speedmap.results.accuracy import Accuracy
from speedmap.results.cell_result import CellResult
from speedmap.results.reported import Measured
from speedmap.results.speed import Speed


def lines(rows: list[CellResult]) -> list[Measured]:
    """Sum up each record in one line, speeds first."""
    return [_line(row, row.speed) for row in rows if row.speed] + [
        _line(row, row.accuracy) for row in rows if row.accuracy
    ]


def _line(row: CellResult, record: Speed | Accuracy) -> Measured:
    about = {
        "measured": record.measured,
        "commit": record.environment.commit,
        "platform": record.environment.platform,
        "cell": row.title,
        "valid": not row.invalid,
    }
    if isinstance(record, Speed):
        median, low, high = record.summary.median_ms, record.summary.median_low_ms, record.summary.median_high_ms
        return Measured(**about, figure="speed", value=median, low=low, high=high, quotable=record.quotable)
    value, error = record.metrics.map, record.metrics.map_se
    low, high = (None, None) if error is None else (value - SURE * error, value + SURE * error)
    return Measured(**about, figure="mAP", value=value, low=low, high=high)


def append(path: Path, rows: list[CellResult]) -> None:
    """Append the lines that a history does not have yet; what stands in it is never touched."""
    written = path.read_text("utf-8").splitlines() if path.exists() else []
    known = set(map(_key, _figures(written)))
    new = [json.encode(line).decode() for line in lines(rows) if _key(line) not in known]
    with storage.atomic(path) as temporary:
        temporary.write_text("".join(line + "\n" for line in dict.fromkeys([*written, *new])), "utf-8")


def _key(line: Measured) -> tuple:
    """Tell which figure a line is of, whatever the version that wrote it says beside."""
    return line.measured, line.cell, line.figure, line.value, line.valid


def read(path: Path) -> list[Measured]:
    """Read a history, the oldest line first."""
    return sorted(_figures(path.read_text("utf-8").splitlines()), key=lambda line: line.measured)


def _figures(texts: list[str]) -> list[Measured]:
    """Decode the lines that are figures, and pass over what another version may have written beside them."""
    figures = []
    for text in texts:
        try:
            figures.append(json.decode(text, type=Measured))
        except ValidationError:
            continue
    return figures
