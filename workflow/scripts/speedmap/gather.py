"""Collect the records of all cells, each cell's together and beside those that it is compared with."""

from dataclasses import replace
from pathlib import Path

from speedmap import records
from speedmap.cells import Cell
from speedmap.row import Row

REFERENCES = {"torch": ("torch", "fp32"), "fp16": (None, "fp16")}  # of the same input shape; None: of the same backend


def gather(paths: list[str], root: Path = Path("results")) -> list[Row]:
    """Join speed and accuracy records, and the engine's beside them, in the order in which the cells come.

    root: the folder that stands for `results`.
    """
    found: dict[Cell, dict[str, dict]] = {}
    for path in map(Path, paths):
        record = records.read(path)
        found.setdefault(Cell(**record["cell"]), {})[path.stem] = record
    rows = {cell: _row(cell, joined, root) for cell, joined in found.items()}
    return [replace(row, references=_references(row.cell, rows)) for row in rows.values()]


def _row(cell: Cell, joined: dict[str, dict], root: Path) -> Row:
    beside = root / Path(cell.folder).relative_to("results") / "engine.json"
    engine = records.read(beside) if beside.exists() else None
    builds = tuple(record for name, record in joined.items() if name.startswith("speed."))
    accuracy, failed = joined.get("accuracy"), ()
    if accuracy and accuracy["metrics"]["map"] < 0:  # as COCOeval says it
        accuracy, failed = None, ("the data set has no boxes to evaluate the mAP on",)
    return Row(cell, joined.get("speed"), accuracy, engine, failed=failed, builds=builds)


def _references(cell: Cell, rows: dict[Cell, Row]) -> dict[str, dict]:
    """Give the accuracy records that a cell's mAP is held against, by the name of the column."""
    found = {}
    for name, (backend, precision) in REFERENCES.items():
        other = rows.get(Cell(backend or cell.backend, cell.model, precision, cell.shape))
        if other and other.accuracy and other.cell != cell:
            found[name] = other.accuracy
    return found
