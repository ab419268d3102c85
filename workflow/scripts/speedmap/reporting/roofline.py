"""How far each cell is from what its device could do at best."""

from dataclasses import dataclass
from statistics import mean

from speedmap.dataset.letterbox import pixels
from speedmap.reporting.footnotes import words
from speedmap.results.cell_result import CellResult
from speedmap.results.prepared import Peaks

SIZES = {"fp32": 4, "fp16": 2, "bf16": 2, "int8": 1}  # bytes of each type
TERA, GIGA = 1e12, 1e9


@dataclass(frozen=True)
class Roof:
    """A cell's least possible time by its multiply-adds and by its bytes, None where no peak can be believed."""

    cell: str
    precision: str
    giga_operations: float
    giga_bytes: float
    compute_ms: float | None
    memory_ms: float | None
    median_ms: float

    @property
    def intensity(self) -> float:
        """The multiply-adds a byte of the engine."""
        return self.giga_operations / self.giga_bytes

    @property
    def share(self) -> float | None:
        """The share of the possible speed that the cell reaches, at most 1."""
        least = max(self.compute_ms or 0.0, self.memory_ms or 0.0)
        return least / self.median_ms if least else None

    @property
    def lower(self) -> str:
        """Return which roof is the lower one, which bounds no cell that is far below it."""
        if self.compute_ms is None:
            return "memory (no peak known)" if self.memory_ms else "unknown"
        return "compute" if self.compute_ms > (self.memory_ms or 0.0) else "memory"


@dataclass(frozen=True)
class Roofline:
    """The cells' roofs, by the peaks that can be believed: multiply-adds a second by precision, bytes a second.

    roofs: of every timed cell of which the engine's size is known; [] where no peaks are known. doubts: why some peaks
    are left out, and what disturbed their measurement.
    """

    roofs: list[Roof]
    operations: dict[str, float]
    moved: float | None
    doubts: list[str]


def roofline(rows: list[CellResult], work: dict[str, int], peaks: Peaks, imgsz: int) -> Roofline:
    """Compute how far each cell is from its roof. work: multiply-adds of each model for an input of imgsz x imgsz.

    A peak is not believed if a wider type reaches more, or if a cell does.
    """
    disturbed = [words(warning) for warning in peaks.warnings]
    if not peaks.bytes:
        return Roofline([], {}, None, disturbed)
    timed = [row for row in rows if row.has_speed and row.engine and row.engine.bytes and row.cell.model in work]
    known, moved = {name: rate for name, rate in peaks.operations.items() if rate}, peaks.bytes
    reached = [_roof(row, work, known, moved, imgsz) for row in timed]
    reasons = {}
    for name, rate in known.items():
        wider = {other: more for other, more in known.items() if SIZES[other] > SIZES[name] and more > rate}
        above = [roof for roof in reached if roof.precision == name and (roof.compute_ms or 0.0) > roof.median_ms]
        if wider:
            best = max(wider, key=wider.get)
            reasons[name] = f"{name}: {rate / TERA:.3g} in a product, less than {best}'s {wider[best] / TERA:.3g}"
        elif above:
            reasons[name] = f"{name}: {rate / TERA:.3g} in a product, which {above[0].cell} is above"
    if too_fast := [roof for roof in reached if roof.memory_ms and roof.memory_ms > roof.median_ms]:
        reasons["bytes"] = f"{moved / GIGA:.3g} GB a second in a copy, which {too_fast[0].cell} is above"
        moved = None
    operations = {name: rate for name, rate in known.items() if name not in reasons}
    roofs = [_roof(row, work, operations, moved, imgsz) for row in timed]
    return Roofline(roofs, operations, moved, [f"{reason}; left out" for reason in reasons.values()] + disturbed)


def _roof(row: CellResult, work: dict[str, int], operations: dict[str, float], moved: float | None, imgsz: int) -> Roof:
    done = work[row.cell.model] * row.cell.batch * mean(map(pixels, row.speed.shapes)) / imgsz**2
    peak = operations.get(row.precision)
    return Roof(
        row.title,
        row.precision,
        done / 1e9,
        row.engine.bytes / 1e9,
        1e3 * done / peak if peak else None,
        1e3 * row.engine.bytes / moved if moved else None,  # at least every weight has to be read once
        row.speed.summary.median_ms,
    )
