"""Make the tables from the records, and say what all figures were taken on."""

from pathlib import Path

from speedmap import storage
from speedmap.publishing import provenance
from speedmap.reporting import csv_table, remarks, table
from speedmap.results import checks, records
from speedmap.results.cell_result import gather
from speedmap.results.inventory import Dataset
from speedmap.results.reported import Experiment
from speedmap.run.job import run_step


def render_table(
    paths: list[str], dataset: str, config: dict, backend: str, out: str, csv: str, environment: str
) -> None:
    """Write table.md, table.csv and environment.json."""
    data, experiment = records.read(Path(dataset), Dataset), records.convert(config, Experiment)
    rows = remarks.noted(gather(checks.checked(paths, data)))
    text = table.render(rows, experiment, data, backend)
    records.write(Path(environment), provenance.describe(rows, experiment))
    with storage.atomic(Path(csv)) as temporary:
        csv_table.frame(rows).to_csv(temporary, index=False)
    with storage.atomic(Path(out)) as temporary:
        temporary.write_text(text, "utf-8")


if __name__ == "__main__":
    run_step(render_table, snakemake, paths=snakemake.input.records)
