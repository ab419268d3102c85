"""Make the tables from the records."""

from pathlib import Path

from speedmap import storage
from speedmap.errors.explain import job
from speedmap.reporting import detail_table, table
from speedmap.results import records, schema
from speedmap.results.cell_result import gather


def main(paths: list[str], dataset: str, config: dict, backend: str, out: str, csv: str) -> None:
    """Write table.md and table.csv."""
    data = records.read(Path(dataset))
    rows = gather(schema.checked(paths, data))
    text = table.render(rows, config, data, backend)
    with storage.atomic(Path(csv)) as temporary:
        detail_table.frame(rows).to_csv(temporary, index=False)
    with storage.atomic(Path(out)) as temporary:
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
