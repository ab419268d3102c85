"""The report: one HTML file that shows all results and needs nothing else, neither network nor scripts."""

import json
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from speedmap.dataset.letterbox import pixels
from speedmap.reporting import markdown_html, svg_chart
from speedmap.reporting.pareto_points import Point, fastest, points, series, starts
from speedmap.reporting.roofline import roofs
from speedmap.reporting.svg_chart import Mark
from speedmap.reporting.svg_histogram import histogram
from speedmap.results.cell_result import CellResult

WORST = 12  # convolutions of each model in the sensitivity table
CLIPPED = 0.995  # quantile at which the distributions are cut off


def render(
    template: Path,
    table: str,
    rows: list[CellResult],
    work: dict[str, int],
    peaks: dict,
    sensitivity: dict,
    facts: dict,
) -> str:
    """Fill the template.

    table: of table.md. work: multiply-adds by model at the config's imgsz. sensitivity: by model, as choose_float wrote
    it. facts: of environment.json.
    """
    environment = Environment(
        loader=FileSystemLoader(template.parent), autoescape=select_autoescape(default=True), undefined=StrictUndefined
    )
    return environment.get_template(template.name).render(
        table=Markup(markdown_html.html(table)),
        pareto=Markup(pareto(points(rows), all_series(rows))),
        distributions=[(name, Markup(text)) for name, text in distributions(rows)],
        shapes=[(name, Markup(text)) for name, text in shapes(rows)],
        roofs=roofs(rows, work, peaks, facts["config"]["imgsz"]),
        peaks=peaks,
        sensitivity={
            model: (Markup(costs(choice)), worst(choice), reached(choice)) for model, choice in sensitivity.items()
        },
        worst=WORST,
        facts=facts,
        dump=json.dumps(facts, indent=1, ensure_ascii=False),
    )


def all_series(rows: list[CellResult]) -> list[str]:
    """Name the series that cells belong to, each of which has one colour on the page."""
    return sorted({series(row) for row in rows if row.speed})


def pareto(found: list[Point], names: list[str]) -> str:
    """Draw latency against mAP, with arrows from torch to each engine of the same model."""
    named = fastest(found)
    marks = {point: _point(point, point.model if point in named else "") for point in found}
    origins = starts(found)
    pairs = [(origins[point.model], point) for point in found if origins.get(point.model) not in (None, point)]
    arrows = [(marks[start], marks[end]) for start, end in pairs]
    axes = "latency of one image, ms (median)", "mAP50-95, points"
    return svg_chart.scatter(list(marks.values()), *axes, names, True, arrows)


def _point(point: Point, label: str) -> Mark:
    error = point.map_error
    title = (
        f"{point.model}, {point.shape}\n{point.series}\n{point.ms:.2f} ms ({point.ms_low:.2f} to {point.ms_high:.2f})\n"
        f"mAP {point.map:.2f} ± {'unknown' if error is None else f'{error:.2f}'}"
    )
    across, up = (point.ms_low, point.ms_high), None if error is None else (point.map - error, point.map + error)
    return Mark(point.ms, point.map, title, point.series, across, up, point.shape == "dynamic", label)


def distributions(rows: list[CellResult]) -> list[tuple[str, str]]:
    """Draw each timed cell's latencies, each on a scale of its own."""
    found = []
    for row in (row for row in rows if row.speed and not row.invalid):
        samples = row.speed["samples_ms"]
        high = sorted(samples)[int(CLIPPED * (len(samples) - 1))]
        name = f"{row.cell.backend}/{row.cell.name}"
        found.append((name, histogram(samples, name, 0.98 * min(samples), 1.02 * high)))
    return found


def shapes(rows: list[CellResult]) -> list[tuple[str, str]]:
    """Draw each model's medians of the input shapes against their pixels, for the cells of dynamic input."""
    timed = [row for row in rows if row.speed and row.cell.shape == "dynamic" and not row.invalid]
    models, names = dict.fromkeys(row.cell.model for row in timed), all_series(rows)
    marks = {model: [mark for row in timed if row.cell.model == model for mark in _shapes(row)] for model in models}
    return [
        (model, svg_chart.scatter(found, "pixels, thousands", "median, ms", names)) for model, found in marks.items()
    ]


def _shapes(row: CellResult) -> list[Mark]:
    name = series(row)
    return [
        Mark(pixels(shape) / 1e3, facts["median_ms"],
             f"{name}, {shape}\n{facts['median_ms']:.2f} ms, {facts['count']} samples", name)
        for shape, facts in row.speed["per_shape"].items()
    ]  # fmt: skip


def costs(choice: dict) -> str:
    """Draw what INT8 in each convolution alone does to the output, in the order of the graph."""
    bars = [(100 * line["error"], "stays in float" if line["float"] else "INT8",
             f"{line['conv']}\n{100 * line['error']:.4f}% of the output") for line in choice["table"]]  # fmt: skip
    return (
        svg_chart.columns(bars, "convolutions, from the input to the heads", "change of the output, %") if bars else ""
    )


def reached(choice: dict) -> str:
    """Say what was chosen, and what it does to the output."""
    kept = f"{len(choice['float'])} convolutions stay in float"
    if "reached" not in choice:  # random weights: nothing was scanned
        return f"{kept}."
    wanted = f", int8.target is {choice['target']:g}" if choice["target"] else ""
    change = f"the output changes by {choice['reached']:.2g}{wanted}"
    return f"{kept}, {choice['int8_share']:.1%} of the multiply-adds are in INT8: {change}."


def worst(choice: dict) -> list[dict]:
    """Take the convolutions that INT8 hurts the most."""
    return sorted(choice["table"], key=lambda line: line["error"], reverse=True)[:WORST]
