"""How far each cell is from what its device could do at best."""

from dataclasses import dataclass
from statistics import mean

from speedmap.dataset.letterbox import pixels
from speedmap.results.cell_result import CellResult
from speedmap.results.prepared import Peaks


@dataclass(frozen=True)
class Roof:
    """A cell's least possible time by its multiply-adds and by its bytes, and what share of that its median reaches."""

    cell: str
    precision: str
    giga_operations: float
    compute_ms: float | None
    memory_ms: float
    median_ms: float

    @property
    def share(self) -> float:
        return max(self.compute_ms or 0.0, self.memory_ms) / self.median_ms

    @property
    def bound(self) -> str:
        if self.compute_ms is None:
            return "memory (no peak known)"
        return "compute" if self.compute_ms > self.memory_ms else "memory"


def roofs(rows: list[CellResult], work: dict[str, int], peaks: Peaks, imgsz: int) -> list[Roof]:
    """Compute the roof of every timed cell of which the engine's size is known.

    work: multiply-adds of each model for an input of imgsz x imgsz. Returns [] where no peaks are known.
    """
    if not peaks.bytes:
        return []
    timed = [row for row in rows if row.speed and row.engine and row.engine.bytes and not row.invalid]
    return [_roof(row, work[row.cell.model], peaks, imgsz) for row in timed if row.cell.model in work]


def _roof(row: CellResult, operations: int, peaks: Peaks, imgsz: int) -> Roof:
    done = operations * mean(map(pixels, row.speed.shapes)) / imgsz**2
    peak = peaks.operations.get(row.precision)
    moved = row.engine.bytes  # at least every weight has to be read once
    return Roof(
        row.title,
        row.precision,
        done / 1e9,
        1e3 * done / peak if peak else None,
        1e3 * moved / peaks.bytes,
        row.speed.summary.median_ms,
    )
