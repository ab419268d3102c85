"""Plots as SVG files: latency against mAP, and figures over time."""

from datetime import datetime
from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("svg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.dates import ConciseDateFormatter
from matplotlib.ticker import LogLocator, NullFormatter

from speedmap import storage
from speedmap.reporting.pareto_points import Point, fastest, starts

SIZE = (8, 5.5)  # inches
FILLED = {"static": "full", "dynamic": "none"}  # marker by input shape
COLOURS = mpl.colormaps["tab20"]  # of cells, of which there are many
mpl.rcParams |= {"svg.hashsalt": "speedmap", "svg.fonttype": "none", "axes.grid": True, "grid.alpha": 0.3}


def pareto(found: list[Point], path: Path) -> None:
    """Draw latency against mAP: a colour a backend and precision, an arrow from torch to each engine, error bars."""
    figure, axes = plt.subplots(figsize=SIZE, layout="constrained")
    series = list(dict.fromkeys(point.series for point in found))
    for point in found:
        _draw(axes, point, f"C{series.index(point.series)}")
    for point in fastest(found):
        above = (point.ms, point.map + (point.map_error or 0))
        axes.annotate(point.model, above, (0, 3), textcoords="offset points", fontsize=8, ha="center")
    for point in found:
        _arrow(axes, starts(found).get(point.model), point)
    for index, name in enumerate(series):
        axes.plot([], [], "o", color=f"C{index}", label=name)
    axes.plot([], [], "o", color="grey", fillstyle="none", label="dynamic input")
    axes.set(xscale="log", xlabel="median latency of one image, ms (bars: 95%)", ylabel="COCO mAP50-95 (bars: 2 se)")
    _plain(axes.xaxis)
    axes.legend(frameon=False, fontsize="small")
    _save(figure, path)


def _draw(axes: Axes, point: Point, colour: str) -> None:
    axes.errorbar(
        point.ms,
        point.map,
        xerr=[[point.ms - point.ms_low], [point.ms_high - point.ms]],
        yerr=point.map_error,
        fmt="o",
        color=colour,
        fillstyle=FILLED[point.shape],
        elinewidth=0.8,
    )


def _arrow(axes: Axes, start: Point | None, end: Point) -> None:
    if start is None or start is end:
        return
    style = {"arrowstyle": "->", "color": "grey", "alpha": 0.4, "shrinkA": 6, "shrinkB": 6}
    axes.annotate("", (end.ms, end.map), (start.ms, start.map), arrowprops=style)


def history(lines: list[dict], path: Path) -> None:
    """Draw each cell's figures over time, speed above mAP, with their intervals; invalid ones are left out."""
    figure, (above, below) = plt.subplots(2, 1, figsize=(10, 7), sharex=True, layout="constrained")
    names = sorted({line["cell"] for line in lines if line["valid"]})
    for axes, kind, factor, label in ((above, "speed", 1, "median, ms"), (below, "mAP", 100, "mAP50-95, points")):
        for index, name in enumerate(names):
            taken = [line for line in lines if (line["cell"], line["figure"], line["valid"]) == (name, kind, True)]
            _over_time(axes, name, taken, factor, COLOURS(index % COLOURS.N))
        axes.set(ylabel=label)
    above.set(yscale="log")
    _plain(above.yaxis)
    below.xaxis.set_major_formatter(ConciseDateFormatter(below.xaxis.get_major_locator()))
    figure.legend(*above.get_legend_handles_labels(), loc="outside right upper", frameon=False, fontsize=7)
    _save(figure, path)


def _over_time(axes: Axes, name: str, taken: list[dict], factor: float, colour: tuple) -> None:
    times = [datetime.fromisoformat(line["measured"]) for line in taken]
    values, lows, highs = (factor * np.array([line[key] for line in taken], float) for key in ("value", "low", "high"))
    axes.plot(times, values, ".-", label=name, color=colour)
    axes.fill_between(times, lows, highs, color=colour, alpha=0.12)


def _plain(axis: Axis) -> None:
    """Label a logarithmic axis at 1, 2 and 5 of each decade, with plain numbers."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())


def _save(figure: plt.Figure, path: Path) -> None:
    with storage.atomic(path) as temporary:
        figure.savefig(temporary, format="svg", metadata={"Date": None})
    plt.close(figure)
