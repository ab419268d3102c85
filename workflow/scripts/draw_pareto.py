"""Draw latency against mAP."""

from pathlib import Path

from speedmap import plots, records
from speedmap.diagnose import job
from speedmap.gather import gather
from speedmap.points import points


def main(paths: list[str], out: str) -> None:
    """Write results/pareto.svg."""
    with records.atomic(Path(out)) as temporary:
        plots.pareto(points(gather(paths)), temporary)


if __name__ == "__main__":
    with job(snakemake.log[0]):
        main(list(snakemake.input.records), snakemake.output[0])
