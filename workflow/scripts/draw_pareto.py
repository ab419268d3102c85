"""Draw latency against mAP."""

from pathlib import Path

from speedmap.reporting import charts
from speedmap.reporting.pareto_points import points
from speedmap.results.cell_result import gather
from speedmap.run.job import job


def draw_pareto(paths: list[str], out: str) -> None:
    """Write results/pareto.svg."""
    charts.save(charts.pareto(points(gather(paths))), charts.PARETO, Path(out))


if __name__ == "__main__":
    with job(snakemake.log[0]):
        draw_pareto(paths=list(snakemake.input.records), out=snakemake.output[0])
