"""What the plots show: each cell that has both a speed and a mAP as one point with its errors."""

from dataclasses import dataclass, replace

from speedmap.accuracy.paired_difference import SURE
from speedmap.reporting.footnotes import words
from speedmap.results.accuracy import Accuracy
from speedmap.results.cell_result import NAMES, CellResult


@dataclass(frozen=True)
class Point:
    """A cell in the plane: median milliseconds with its 95% interval, mAP and twice its standard error in points.

    map_error: None where it is unknown. quotable: of the speed. doubts: what its run warned of, "" for nothing.
    """

    model: str
    series: str  # backend and the precision that ran: one colour
    shape: str
    ms: float
    ms_low: float
    ms_high: float
    map: float
    map_error: float | None
    quotable: bool = True
    doubts: str = ""


def joined(rows: list[CellResult]) -> list[CellResult]:
    """Take the valid cells that have both figures; torch's, which come from two cells, are joined."""
    torch = [row for row in rows if row.cell.backend == "torch" and row.cell.shape == "dynamic"]
    engines = [row for row in rows if row.cell.backend != "torch"]
    both = [replace(row, accuracy=_accuracy(torch, row.cell.model)) for row in torch] + engines
    return [row for row in both if row.has_speed and row.accuracy]


def points(rows: list[CellResult]) -> list[Point]:
    """Take the cells that have both figures."""
    return [_point(row) for row in joined(rows)]


def _accuracy(rows: list[CellResult], model: str) -> Accuracy | None:
    return next((row.accuracy for row in rows if row.cell.model == model and row.accuracy), None)


def _point(row: CellResult) -> Point:
    summary, metrics = row.speed.summary, row.accuracy.metrics
    error = metrics.map_se
    return Point(
        row.cell.model,
        series(row),
        row.cell.shape,
        summary.median_ms,
        summary.median_low_ms,
        summary.median_high_ms,
        100 * metrics.map,
        None if error is None else 100 * SURE * error,
        row.speed.quotable,
        "; ".join(map(words, row.speed.warnings)),
    )


def name(row: CellResult) -> str:
    """Name a cell by what ran, as the plots do."""
    return f"{row.cell.model} {series(row)} {row.cell.input}"


def series(row: CellResult) -> str:
    """Name the backend and the precision that ran, which have one colour."""
    return f"{NAMES.get(row.cell.backend, row.cell.backend)} {row.precision.upper()}"


def fastest(points: list[Point]) -> list[Point]:
    """Return the fastest point of each model."""
    return list({point.model: point for point in sorted(points, key=lambda point: -point.ms)}.values())


def starts(points: list[Point]) -> dict[str, Point]:
    """Return each model's torch point, from which arrows go."""
    return {point.model: point for point in points if point.series.startswith(NAMES["torch"])}
