"""Draw latency against mAP."""

from pathlib import Path

from speedmap import storage
from speedmap.errors.explain import job
from speedmap.reporting import plots
from speedmap.reporting.pareto_points import points
from speedmap.results.cell_result import gather


def main(paths: list[str], out: str) -> None:
    """Write results/pareto.svg."""
    with storage.atomic(Path(out)) as temporary:
        plots.pareto(points(gather(paths)), temporary)


if __name__ == "__main__":
    with job(snakemake.log[0]):
        main(list(snakemake.input.records), snakemake.output[0])
