"""Add the figures to the history."""

from pathlib import Path

from speedmap.errors.explain import job
from speedmap.publishing import history
from speedmap.results.cell_result import gather


def main(paths: list[str], out: str) -> None:
    """Append to results/history.jsonl."""
    history.append(Path(out), gather(paths))


if __name__ == "__main__":
    with job(snakemake.log[0]):
        main(list(snakemake.input.records), snakemake.output[0])
