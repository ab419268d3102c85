"""Charts in Vega-Lite: one definition of each, which files show as it is and the report's reader can ask for figures.

None has colours of its own but those of the series: the neutral ones are those of paper or of a page.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import altair as alt
import vl_convert

from speedmap import storage
from speedmap.reporting.palette import FAINT, PAPER, STAYS, colours
from speedmap.reporting.pareto_points import Point, fastest, starts
from speedmap.results.prepared import ConvCost

VEGA_LITE = ".".join(alt.SCHEMA_VERSION.lstrip("v").split(".")[:2])
FILE_WIDTH = 720  # pixels
WIDE = "container"  # in the report a chart is as wide as its place
PARETO = "Latency against mAP: towards the upper left is better"
READ = "Bars: 95% interval of the median, two standard errors of the mAP. Faint: speeds that cannot be quoted."
LEGEND = alt.Legend(orient="bottom", columns=3, title=None)
MARKS = alt.Legend(orient="top", title=None, symbolFillColor="grey", symbolStrokeColor="grey")
INPUTS = {"static": "circle", "dynamic": "diamond"}
HEAD = 60  # square pixels of an arrow's head
ANGLE = "atan2(scale('y', datum.map) - scale('y', datum.map0), scale('x', datum.ms) - scale('x', datum.ms0))"


def bundle() -> str:
    """Return the JavaScript that draws charts on a page, which then needs no network."""
    return vl_convert.javascript_bundle(vl_version=VEGA_LITE)


def save(chart: alt.TopLevelMixin, title: str, path: Path) -> None:
    """Write a chart as an SVG file on white."""
    with storage.atomic(path) as temporary:
        temporary.write_text(svg(chart.properties(title=title), PAPER), "utf-8")


def svg(chart: alt.TopLevelMixin, look: dict) -> str:
    """Draw a chart in the neutral colours of a look."""
    return vl_convert.vegalite_to_svg(chart.to_dict(), vl_version=VEGA_LITE, config=look)


def pareto(points: list[Point], width: int | str = FILE_WIDTH) -> alt.LayerChart:
    """Draw latency against mAP: a colour a series, an arrow from torch to each engine of its model, error bars."""
    if not points:
        return alt.layer(of([{"text": "No cell has both figures."}]).mark_text(size=14).encode(text="text:N"))
    x = alt.X("ms:Q", title="median latency of one image, ms (log)").scale(type="log", nice=False, padding=20)
    y = alt.Y("map:Q", title="COCO mAP50-95, points").scale(zero=False, padding=20)
    marks = of([_point(point) for point in points]).mark_point(filled=True, size=90).encode(opacity=faint())
    shape = alt.Shape("input:N", legend=MARKS).scale(domain=list(INPUTS), range=list(INPUTS.values()))
    told = [alt.Tooltip(f"{name}:N") for name in ("model", "series", "input", "latency", "mAP")]
    figures = marks.encode(x, y, colour({point.series for point in points}), shape, tooltip=told)
    names = (
        of([_label(point) for point in fastest(points)])
        .mark_text(dx=-4, dy=-12, align="left", aria=False)
        .encode(x, y, text="model:N")
    )
    return alt.layer(*_arrows(points, x, y), *_bars(points, x, y), figures, names).properties(
        width=width, height=400, description=PARETO
    )


def faint() -> alt.When:
    """Make what cannot be quoted faint."""
    return alt.when(alt.datum.quotable).then(alt.value(1)).otherwise(alt.value(FAINT))


def _point(point: Point) -> dict:
    error = "unknown" if point.map_error is None else f"{point.map_error:.2f}"
    doubts = [] if point.quotable else ["not to be quoted"]
    said = "".join(f", {doubt}" for doubt in [*doubts, point.doubts] if doubt)
    return {
        "ms": point.ms, "map": point.map, "model": point.model, "series": point.series, "input": point.shape,
        "latency": f"{point.ms:.2f} ms ({point.ms_low:.2f} to {point.ms_high:.2f}){said}",
        "mAP": f"{point.map:.2f} ± {error}", "quotable": point.quotable,
    }  # fmt: skip


def _label(point: Point) -> dict:
    return {"ms": point.ms, "map": point.map + (point.map_error or 0), "model": point.model}


def _bars(points: list[Point], x: alt.X, y: alt.Y) -> list[alt.Chart]:
    """Draw the 95% intervals of the medians, and two standard errors of each mAP whose error is known."""
    series = colour({point.series for point in points})
    across = [{"ms": point.ms_low, "high": point.ms_high, "map": point.map, "series": point.series} for point in points]
    up = [
        {"ms": point.ms, "map": point.map - point.map_error, "high": point.map + point.map_error,
         "series": point.series}
        for point in points
        if point.map_error is not None
    ]  # fmt: skip
    return [
        of(across).mark_rule(aria=False).encode(x, y, series, x2="high:Q"),
        of(up).mark_rule(aria=False).encode(x, y, series, y2="high:Q"),
    ]


def _arrows(points: list[Point], x: alt.X, y: alt.Y) -> list[alt.Chart]:
    """Draw a line from each model's torch point to each of its engines, with a head short of the engine's mark."""
    origins = starts(points)
    pairs = [(origins[point.model], point) for point in points if origins.get(point.model) not in (None, point)]
    lines = of([{"ms0": start.ms, "map0": start.map, "ms": end.ms, "map": end.map} for start, end in pairs])
    head = {
        "angle": alt.expr(f"{ANGLE} * 180 / PI"),
        "xOffset": alt.expr(f"-11 * cos({ANGLE})"),
        "yOffset": alt.expr(f"-11 * sin({ANGLE})"),
    }
    return [
        lines.mark_rule(opacity=0.4, aria=False).encode(x, y, x2="ms0:Q", y2="map0:Q"),
        lines.mark_point(shape="triangle-right", filled=True, size=HEAD, opacity=0.7, aria=False, **head).encode(x, y),
    ]


class ShapeTime(NamedTuple):
    """The median of an input shape."""

    series: str
    shape: str
    kilopixels: float
    ms: float
    samples: int


def shapes(medians: list[ShapeTime]) -> alt.Chart:
    """Draw the median of each input shape against its pixels."""
    told = ["series:N", "shape:N", alt.Tooltip("ms:Q", format=".2f"), "samples:Q"]
    return of(medians).mark_point(filled=True, size=60, opacity=1).encode(
        alt.X("kilopixels:Q", title="pixels, thousands").scale(zero=False, padding=10),
        alt.Y("ms:Q", title="median, ms").scale(zero=False, padding=10),
        colour({entry.series for entry in medians}),
        tooltip=told,
    ).properties(width=WIDE, height=260, description="Median latency against the pixels of the input")  # fmt: skip


def costs(lines: list[ConvCost]) -> alt.Chart:
    """Draw what INT8 in each convolution alone does to the output, in the order of the graph."""
    bars = [
        {"place": place, "conv": line.conv, "percent": 100 * line.error,
         "runs": "stays in float" if line.in_float else "INT8"}
        for place, line in enumerate(lines)
    ]  # fmt: skip
    return of(bars).mark_bar().encode(
        alt.X("place:O", title="convolutions, from the input to the heads").axis(labels=False, ticks=False),
        alt.Y("percent:Q", title="change of the output, %"),
        _legend("runs", STAYS),
        tooltip=["conv:N", alt.Tooltip("percent:Q", title="change of the output, %", format=".4f"), "runs:N"],
    ).properties(width=WIDE, height=300, description="Change of the output by INT8 in each convolution")  # fmt: skip


def colour(names: set[str]) -> alt.Color:
    """Encode the series by their colours, with a legend."""
    return _legend("series", colours(names))


def _legend(field: str, names: dict[str, str]) -> alt.Color:
    return alt.Color(f"{field}:N", legend=LEGEND).scale(domain=list(names), range=list(names.values()))


def of(values: Iterable[dict | tuple]) -> alt.Chart:
    """Start a chart of some values, dicts or named tuples."""
    return alt.Chart(alt.InlineData(values=[each if isinstance(each, dict) else each._asdict() for each in values]))
