"""Make the tables from the records."""

from pathlib import Path

from speedmap import details, records, schemas, table
from speedmap.diagnose import job
from speedmap.gather import gather


def main(paths: list[str], dataset: str, config: dict, backend: str, out: str, csv: str) -> None:
    """Write table.md and table.csv."""
    data = records.read(Path(dataset))
    rows = gather(schemas.checked(paths, data))
    text = table.render(rows, config, data, backend)
    with records.atomic(Path(csv)) as temporary:
        details.frame(rows).to_csv(temporary, index=False)
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
