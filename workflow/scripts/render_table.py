"""Make the tables from the records."""

from pathlib import Path

from speedmap import details, failures, records, schemas, table
from speedmap.cells import Cell
from speedmap.diagnose import job
from speedmap.gather import gather
from speedmap.row import Row

KINDS = ("speed", "accuracy")


def main(paths: list[str], dataset: str, config: dict, backend: str, out: str, csv: str) -> None:
    """Write table.md and table.csv."""
    data = records.read(Path(dataset))
    rows = gather(schemas.checked(paths, data))
    text = table.render(rows, config, data, backend)
    with records.atomic(Path(csv)) as temporary:
        details.frame(rows).to_csv(temporary, index=False)
    with records.atomic(Path(out)) as temporary:
        temporary.write_text(text)


def partial(cells: list[Cell], dataset: str, config: dict, backend: str, out: str) -> None:
    """Write table.md from whatever was measured of some cells; what was not shows the reason."""
    paths = [str(path) for cell in cells for path in Path(cell.folder).glob("*.json") if path.stem in KINDS]
    rows = {row.cell: row for row in gather(list(filter(schemas.sound, paths)))}
    rows = [failures.void(rows.get(cell, Row(cell, None, None, None)), failures.of(cell)) for cell in cells]
    if any(row.speed or row.accuracy for row in rows):
        with records.atomic(Path(out)) as temporary:
            text = table.render(rows, config, records.read(Path(dataset)), backend)
            temporary.write_text(f"{failures.PARTIAL}\n\n{text}")


if __name__ == "__main__":
    with job(snakemake.log[0]):
        main(
            list(snakemake.input.records),
            snakemake.input.dataset,
            snakemake.params.config,
            snakemake.params.backend,
            snakemake.output.table,
            snakemake.output.csv,
        )
