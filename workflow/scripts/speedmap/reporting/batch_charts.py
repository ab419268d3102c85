"""The report's charts of batches and of long runs."""

import altair as alt
import numpy as np

from speedmap.reporting.charts import WIDE, colour, of
from speedmap.reporting.footnotes import words
from speedmap.reporting.pareto_points import series
from speedmap.reporting.throughput import images_per_second
from speedmap.results.cell_result import CellResult
from speedmap.results.timing_findings import Throttled
from speedmap.results.watch import Watch

LONG_S = 60.0  # from which on a run shows whether its speed lasts
POINTS = 120  # of the line of a long run, each the median of as many samples


def throughput(rows: list[CellResult]) -> list[tuple[str, dict]]:
    """Draw each model's images a second against the batch, a line a precision; [] where no cell has a batch."""
    timed = [row for row in rows if row.cell.shape == "static" and row.has_speed]
    models = dict.fromkeys(row.cell.model for row in timed if row.cell.batch > 1)
    return [(model, _throughput([row for row in timed if row.cell.model == model])) for model in models]


def _throughput(rows: list[CellResult]) -> dict:
    lines = [{"series": series(row), "batch": row.cell.batch, "rate": images_per_second(row)} for row in rows]
    told = ["series:N", "batch:Q", alt.Tooltip("rate:Q", title="images/s", format=".4~g")]
    chart = of(lines).mark_line(point={"size": 60, "filled": True}).encode(
        alt.X("batch:Q", title="batch (log)", axis=alt.Axis(values=sorted({row.cell.batch for row in rows})))
        .scale(type="log", base=2, nice=False, padding=20),
        alt.Y("rate:Q", title="images/s").scale(zero=True),
        colour({series(row) for row in rows}),
        tooltip=told,
    ).properties(width=WIDE, height=260, description="Images a second against the batch")  # fmt: skip
    return chart.to_dict()


def sustained(rows: list[CellResult]) -> list[tuple[str, dict, str]]:
    """Draw the latency of each long run over its time, and say whether it throttled; [] where no run was long."""
    timed = [row for row in rows if row.has_speed and lasted(row.speed.watch) >= LONG_S]
    return [(row.title, _sustained(row), throttled(row.speed.watch)) for row in timed]


def lasted(watch: Watch) -> float:
    """Return the seconds of a watched run: it goes on after the last kept sample for as long as these lie apart."""
    steps = len(watch.samples) - 1
    return watch.samples[-1]["at_s"] * (steps + 1) / steps if steps > 0 else 0.0


def _sustained(row: CellResult) -> dict:
    parts = np.array_split(row.speed.samples_ms, min(POINTS, len(row.speed.samples_ms)))
    step = lasted(row.speed.watch) / len(parts)
    lines = [{"s": round((at + 0.5) * step, 2), "ms": float(np.median(part))} for at, part in enumerate(parts)]
    chart = of([{"series": series(row), **line} for line in lines]).mark_line().encode(
        alt.X("s:Q", title="seconds"),
        alt.Y("ms:Q", title="median, ms").scale(zero=False, padding=10),
        colour({series(row)}).legend(None),
        tooltip=["s:Q", alt.Tooltip("ms:Q", format=".3f")],
    ).properties(width=WIDE, height=130, description=f"Latency of {row.title} over time")  # fmt: skip
    return chart.to_dict()


def throttled(watch: Watch) -> str:
    """Return whether the device throttled during a run, as far as it tells."""
    if reasons := [words(warning) for warning in watch.warnings if isinstance(warning, Throttled)]:
        return "; ".join(reasons)
    asked = any("reasons" in sample for sample in watch.samples) and "reasons" not in watch.untold
    return "did not throttle" if asked else "whether it throttled is not reported here"
