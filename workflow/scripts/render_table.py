"""Make the tables from the records."""

from pathlib import Path

from speedmap import records, table
from speedmap.cells import Cell
from speedmap.diagnose import job


def gather(paths: list[str]) -> list[table.Row]:
    """Join the records of each cell, in the order in which the cells come."""
    found: dict[Cell, dict[str, dict]] = {}
    for path in map(Path, paths):
        record = records.read(path)
        found.setdefault(Cell(**record["cell"]), {})[path.stem] = record
    for cell, joined in found.items():
        beside = Path(cell.folder, "engine.json")
        joined["engine"] = records.read(beside) if beside.exists() else None
    return [
        table.Row(cell, joined.get("speed"), joined.get("accuracy"), joined["engine"]) for cell, joined in found.items()
    ]


def main(paths: list[str], dataset: str, config: dict, backend: str, out: str, csv: str) -> None:
    """Write table.md and table.csv."""
    rows = gather(paths)
    text = table.render(rows, config, records.read(Path(dataset)), backend)
    with records.atomic(Path(csv)) as temporary:
        table.details(rows).to_csv(temporary, index=False)
    with records.atomic(Path(out)) as temporary:
        temporary.write_text(text)


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
