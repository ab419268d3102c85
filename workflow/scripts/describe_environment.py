"""Say what all figures were taken on, with which code and from which files."""

from pathlib import Path

from speedmap.errors.explain import job
from speedmap.publishing import provenance
from speedmap.results import records
from speedmap.results.cell_result import gather


def main(paths: list[str], config: dict, out: str) -> None:
    """Write results/environment.json."""
    records.write(Path(out), provenance.describe(gather(paths), config))


if __name__ == "__main__":
    with job(snakemake.log[0]):
        main(list(snakemake.input.records), snakemake.params.config, snakemake.output[0])
