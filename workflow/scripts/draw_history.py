"""Draw every figure over time."""

from pathlib import Path

from speedmap import storage
from speedmap.errors.explain import job
from speedmap.publishing import history
from speedmap.reporting import plots


def main(source: str, out: str) -> None:
    """Write results/history.svg."""
    with storage.atomic(Path(out)) as temporary:
        plots.history(history.read(Path(source)), temporary)


if __name__ == "__main__":
    with job(snakemake.log[0]):
        main(snakemake.input[0], snakemake.output[0])
