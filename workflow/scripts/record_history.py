"""Add the figures to the history, and draw how each moved."""

from pathlib import Path

from speedmap.publishing import history
from speedmap.reporting import charts, history_chart
from speedmap.results.cell_result import gather
from speedmap.run.job import job


def record_history(paths: list[str], lines: str, plot: str) -> None:
    """Append to results/history.jsonl, and draw results/history.svg."""
    history.append(Path(lines), gather(paths))
    drawn = history_chart.history(history.read(Path(lines)))
    charts.save(drawn, "Speed and mAP over time, with their intervals", Path(plot))


if __name__ == "__main__":
    with job(snakemake.log[0]):
        record_history(paths=list(snakemake.input.records), lines=snakemake.output.lines, plot=snakemake.output.plot)
