"""Add the figures to the history, draw how each moved, and write them for another service that keeps them."""

import json
from pathlib import Path

from speedmap.publishing import ci_formats, history
from speedmap.reporting import charts, history_chart
from speedmap.results.cell_result import gather
from speedmap.run.job import run_step


def record_history(paths: list[str], lines: str, plot: str, bencher: str) -> None:
    """Append to results/history.jsonl, draw results/history.svg, and write results/bencher.json."""
    rows = gather(paths)
    history.append(Path(lines), rows)
    drawn = history_chart.history(history.read(Path(lines)))
    charts.save(drawn, "Speed and mAP over time, with their intervals", Path(plot))
    Path(bencher).write_text(json.dumps(ci_formats.bencher(rows), indent=1), "utf-8")


if __name__ == "__main__":
    run_step(record_history, snakemake, paths=snakemake.input.records)
