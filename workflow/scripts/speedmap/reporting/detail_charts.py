"""The report's further charts: latencies of a model on one scale, layers by kind, the roofline."""

import math

import altair as alt
import numpy as np

from speedmap.reporting.charts import LEGEND, WIDE, colour, of
from speedmap.reporting.palette import GREY, SERIES
from speedmap.reporting.roofline import Roof
from speedmap.results.speedup import Layers

BINS = 80
CLIPPED = 0.995  # quantile at which the latencies of each cell are cut off
FARTHEST = 3.0  # of the slowest median, where the scale ends at the latest
FULL = 0.8  # of a row's height that the most frequent latency takes
ROW = 34  # pixels
PRECISIONS = {name: SERIES[f"TensorRT {name}"] for name in ("FP32", "BF16", "FP16", "INT8")}


def latencies(cells: list[tuple[str, str, list[float]]]) -> alt.LayerChart:
    """Draw how often each latency in milliseconds came, a row a cell, all on one scale, with a line at each median.

    cells: name, series and samples of each. The slowest stand in the last bar of their row.
    """
    end = FARTHEST * max(float(np.median(samples)) for _, _, samples in cells)
    tops = [min(end, float(np.quantile(samples, CLIPPED, method="lower"))) for _, _, samples in cells]
    edges = np.linspace(0.98 * min(min(samples) for _, _, samples in cells), 1.02 * max(tops), BINS + 1)
    bars, medians = [], []
    for row, ((name, series, samples), top) in enumerate(zip(cells, tops, strict=True), 1):
        bars += _bars({"name": name, "series": series}, row, np.histogram(np.clip(samples, None, top), edges)[0], edges)
        median = float(np.median(samples))
        told = f"{name}: median {median:.3g} ms of {len(samples)}"
        medians.append({"low": median, "base": row, "top": row - FULL, "told": told})
    x = alt.X("low:Q", title="ms").scale(domain=[edges[0], edges[-1]], nice=False)
    y = alt.Y("base:Q", axis=_names([name for name, _, _ in cells])).scale(domain=[len(cells) + 0.1, 0])
    series = colour({series for _, series, _ in cells}).legend(None)
    told = ["name:N", "low:Q", "high:Q", "samples:Q"]
    rows = of(bars).mark_rect(aria=False).encode(x, y, series, x2="high:Q", y2="top:Q", tooltip=told)
    marks = of(medians).mark_rule(strokeWidth=2, color=GREY)
    lines = marks.encode(x, y, y2="top:Q", tooltip="told:N", description="told:N")
    return alt.layer(rows, lines).properties(
        width=WIDE, height=ROW * len(cells) + 4, description="How often each latency came, a row a cell"
    )


def _bars(of_row: dict[str, str], row: int, counts: np.ndarray, edges: np.ndarray) -> list[dict]:
    return [
        of_row | {"base": row, "top": round(row - FULL * count / counts.max(), 4), "low": round(left, 4),
                  "high": round(right, 4), "samples": int(count)}
        for left, right, count in zip(edges[:-1], edges[1:], counts, strict=True)
        if count
    ]  # fmt: skip


def _names(names: list[str]) -> alt.Axis:
    """Write the name of each row at its foot."""
    choices = [f"datum.value == {row} ? {_quoted(name)} : " for row, name in enumerate(names, 1)]
    return alt.Axis(values=list(range(1, len(names) + 1)), labelExpr="".join(choices) + "''", labelBaseline="bottom",
                    title=None, ticks=False, domain=False, labelLimit=240)  # fmt: skip


def _quoted(text: str) -> str:
    """Write a text as one of Vega's expressions does."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def layers(times: Layers, precision: str) -> alt.Chart:
    """Draw the milliseconds that layers of each kind take in the float engine and in INT8 side by side."""
    first, second = times.first, times.second
    engines = {precision.upper(): first, "INT8": second}
    order = sorted(first | second, key=lambda kind: -max(first.get(kind, 0.0), second.get(kind, 0.0)))
    bars = [
        {"kind": kind, "engine": name, "ms": round(its.get(kind, 0.0), 4)}
        for kind in order
        for name, its in engines.items()
    ]
    colours = {name: PRECISIONS[name] for name in engines}
    scale = alt.Scale(domain=list(colours), range=list(colours.values()))
    return of(bars).mark_bar().encode(
        alt.X("ms:Q", title="ms, summed over the layers of a kind"),
        alt.Y("kind:N", sort=order, title=None).axis(labelLimit=140),
        alt.Color("engine:N", legend=LEGEND, scale=scale),
        alt.YOffset("engine:N", sort=list(colours)),
        tooltip=["kind:N", "engine:N", alt.Tooltip("ms:Q", format=".3f")],
    ).properties(width=WIDE, height=34 * len(order), description="Time of the layers by kind")  # fmt: skip


def roofline(roofs: list[Roof], operations: dict[str, float], moved: float | None) -> alt.LayerChart:
    """Draw each cell's speed against its multiply-adds a byte, under the roofs of the precisions; both axes are log.

    Where no peak of a precision can be believed, under the roof of the memory alone.

    operations, moved: multiply-adds a second by precision and bytes a second that can be believed.
    """
    known = [roof for roof in roofs if roof.giga_bytes]
    cells = [
        {"series": roof.precision.upper(), "cell": roof.cell, "intensity": roof.intensity,
         "speed": roof.giga_operations / roof.median_ms, "lower roof": roof.lower,
         "of the roof": "unknown" if roof.share is None else f"{roof.share:.0%}"}
        for roof in known
    ]  # fmt: skip
    edges = [roof.intensity for roof in known]
    ends = np.geomspace(min(edges) / 2, max(edges) * 2, 60)
    rates = {name.upper(): rate for name, rate in operations.items()} or ({"memory": None} if moved else {})
    lines = [
        {"series": name, "intensity": float(at), "speed": _roof(float(at), rate, moved)}
        for name, rate in rates.items()
        for at in ends
    ]
    names = sorted({*rates, *(roof.precision.upper() for roof in known)})
    named = {name: PRECISIONS.get(name, GREY) for name in names}
    series = alt.Color("series:N", legend=LEGEND).scale(domain=list(named), range=list(named.values()))
    x = alt.X("intensity:Q", title="multiply-adds a byte of the engine (log)").scale(type="log", nice=False)
    y = alt.Y("speed:Q", title="10¹² multiply-adds a second (log)").scale(type="log", nice=False, padding=12)
    told = ["cell:N", "lower roof:N", "of the roof:N", alt.Tooltip("speed:Q", format=".3g")]
    roof_lines = of(lines).mark_line(aria=False).encode(x, y, series)
    marks = of(cells).mark_point(filled=True, size=70, opacity=1).encode(x, y, series, tooltip=told)
    return alt.layer(roof_lines, marks).properties(
        width=WIDE, height=320, description="Each cell's speed below the roof of its precision"
    )


def _roof(intensity: float, rate: float | None, moved: float | None) -> float:
    """Return the most 10¹² multiply-adds a second that compute and memory allow, as far as their rates are known."""
    return min(rate or math.inf, intensity * moved if moved else math.inf) / 1e12
