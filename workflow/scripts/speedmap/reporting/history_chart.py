"""How every figure moved over time, as a chart."""

import altair as alt

from speedmap.reporting import charts
from speedmap.results.cell_result import NAMES

WIDTH = charts.FILE_WIDTH // 2  # pixels of each part
FIGURES = {"speed": ("median, ms (log)", "log"), "mAP": ("mAP50-95, points", "linear")}


def history(lines: list[dict]) -> alt.VConcatChart:
    """Draw speed and mAP over time with their intervals, a row a model and input.

    Invalid figures are left out; a speed that cannot be quoted is a faint point.
    """
    entries = [_entry(line) for line in lines if line["valid"]]
    series = charts.colour({entry["series"] for entry in entries})
    rows = [
        [_over_time(part, series, *place, figure) for figure in FIGURES if (part := _of(entries, *place, figure))]
        for place in sorted({(entry["model"], entry["input"]) for entry in entries})
    ]
    return alt.vconcat(*(alt.hconcat(*row) for row in rows))


def _of(entries: list[dict], *part: str) -> list[dict]:
    return [entry for entry in entries if (entry["model"], entry["input"], entry["figure"]) == part]


def _entry(line: dict) -> dict:
    backend, _, name = line["cell"].partition("/")
    model, precision, shape = name.rsplit("-", 2)
    factor = 100 if line["figure"] == "mAP" else 1
    figures = {key: line[key] and factor * line[key] for key in ("value", "low", "high")}
    series = f"{NAMES.get(backend, backend)} {precision.upper()}"
    return {"measured": line["measured"], "model": model, "series": series, "input": shape,
            "figure": line["figure"], "quotable": line.get("quotable", True), **figures}  # fmt: skip


def _over_time(entries: list[dict], series: alt.Color, model: str, shape: str, figure: str) -> alt.LayerChart:
    unit, scale = FIGURES[figure]
    x = alt.X("measured:T", title="measured (UTC)").scale(type="utc")
    y = alt.Y("value:Q", title=unit).scale(type=scale, zero=False, nice=False, padding=10)
    lines = charts.of(entries).mark_line().encode(x, y, series)
    points = charts.of(entries).mark_point(filled=True).encode(x, y, series, opacity=charts.faint())
    known = [entry for entry in entries if entry["low"] is not None]
    bars = charts.of(known).mark_rule(strokeWidth=0.7).encode(x, alt.Y("low:Q"), series, y2="high:Q")
    title = f"{model}, {shape} input: {figure}"
    return alt.layer(bars, lines, points).properties(width=WIDTH, height=180, title=title)
