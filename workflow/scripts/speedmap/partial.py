"""The table of a run that failed: the figures that it has, and for the others the reason."""

from pathlib import Path

from speedmap import failures, records, schemas, table
from speedmap.cells import Cell
from speedmap.gather import gather
from speedmap.row import Row


def write(
    cells: list[Cell],
    paths: list[str],
    missing: dict[str, list[str]],
    dataset: str,
    config: dict,
    backend: str,
    out: str,
    csv: str,
) -> None:
    """Write table.md from the records that a failed run has made or found up to date; other cells show the reason.

    missing: files that it should have made and has not, with the logs behind them. The old table.md and table.csv go in
    any case: they are of other records, maybe of another config.
    """
    for old in (out, csv):
        Path(old).unlink(missing_ok=True)
    if dataset in missing:
        return
    data = records.read(Path(dataset))
    rows = gather([path for path in paths if path not in missing and schemas.sound(path, data)])
    found = {row.cell: row for row in rows if row.speed or row.accuracy}
    if found:
        rows = [failures.explained(found.get(cell, Row(cell, None, None, None)), missing) for cell in cells]
        with records.atomic(Path(out)) as temporary:
            temporary.write_text(f"{failures.PARTIAL}\n\n{table.render(rows, config, data, backend)}")
