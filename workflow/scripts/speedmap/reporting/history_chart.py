"""How every figure moved over time, as a chart."""

from typing import NamedTuple

import altair as alt

from speedmap.reporting import charts
from speedmap.results.cell import Cell
from speedmap.results.cell_result import NAMES
from speedmap.results.reported import Measured

WIDTH = charts.FILE_WIDTH // 2  # pixels of each part
FIGURES = {"speed": ("median, ms (log)", "log"), "mAP": ("mAP50-95, points", "linear")}


class Entry(NamedTuple):
    """A figure as it is drawn, a mAP in points."""

    measured: str
    model: str
    input: str
    figure: str
    series: str
    value: float
    low: float | None
    high: float | None
    quotable: bool


def history(lines: list[Measured]) -> alt.VConcatChart:
    """Draw speed and mAP over time with their intervals, a row a model and input.

    Invalid figures are left out; a speed that cannot be quoted is a faint point.
    """
    entries = [_entry(line) for line in lines if line.valid]
    series = charts.colour({entry.series for entry in entries})
    rows = [
        [_over_time(part, series, *place, figure) for figure in FIGURES if (part := _of(entries, *place, figure))]
        for place in sorted({(entry.model, entry.input) for entry in entries})
    ]
    return alt.vconcat(*(alt.hconcat(*row) for row in rows))


def _of(entries: list[Entry], *part: str) -> list[Entry]:
    return [entry for entry in entries if (entry.model, entry.input, entry.figure) == part]


def _entry(line: Measured) -> Entry:
    cell = Cell.titled(line.cell)
    factor = 100 if line.figure == "mAP" else 1
    figures = (known and factor * known for known in (line.value, line.low, line.high))
    series = f"{NAMES.get(cell.backend, cell.backend)} {cell.precision.upper()}"
    return Entry(line.measured, cell.model, cell.input, line.figure, series, *figures, line.quotable)


def _over_time(entries: list[Entry], series: alt.Color, model: str, shape: str, figure: str) -> alt.LayerChart:
    unit, scale = FIGURES[figure]
    x = alt.X("measured:T", title="measured (UTC)").scale(type="utc")
    y = alt.Y("value:Q", title=unit).scale(type=scale, zero=False, nice=False, padding=10)
    lines = charts.of(entries).mark_line().encode(x, y, series)
    points = charts.of(entries).mark_point(filled=True).encode(x, y, series, opacity=charts.faint())
    known = [entry for entry in entries if entry.low is not None]
    bars = charts.of(known).mark_rule(strokeWidth=0.7).encode(x, alt.Y("low:Q"), series, y2="high:Q")
    title = f"{model}, {shape} input: {figure}"
    return alt.layer(bars, lines, points).properties(width=WIDTH, height=180, title=title)
