"""The report: one HTML file that shows all results and needs nothing else, neither network nor scripts."""

import json
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from speedmap import chart, page
from speedmap.chart import Mark
from speedmap.points import Point, points, starts
from speedmap.roofline import roofs
from speedmap.row import Row

WORST = 12  # convolutions of each model in the sensitivity table
CLIPPED = 0.995  # quantile at which the distributions are cut off


def render(
    template: Path, table: str, rows: list[Row], work: dict[str, int], peaks: dict, sensitivity: dict, facts: dict
) -> str:
    """Fill the template.

    table: of table.md. work: multiply-adds by model at the config's imgsz. sensitivity: by model, as choose_float wrote
    it. facts: of environment.json.
    """
    environment = Environment(
        loader=FileSystemLoader(template.parent), autoescape=select_autoescape(default=True), undefined=StrictUndefined
    )
    return environment.get_template(template.name).render(
        table=Markup(page.html(table)),
        pareto=Markup(pareto(points(rows))),
        distributions=[(name, Markup(text)) for name, text in distributions(rows)],
        shapes=Markup(shapes(rows)),
        roofs=roofs(rows, work, peaks, facts["config"]["imgsz"]),
        peaks=peaks,
        sensitivity={model: worst(choice) for model, choice in sensitivity.items()},
        facts=facts,
        dump=json.dumps(facts, indent=1, ensure_ascii=False),
    )


def pareto(found: list[Point]) -> str:
    """Draw latency against mAP, with arrows from torch to each engine of the same model."""
    marks = {point: _point(point) for point in found}
    origins = starts(found)
    pairs = [(origins[point.model], point) for point in found if origins.get(point.model) not in (None, point)]
    arrows = [(marks[start], marks[end]) for start, end in pairs]
    return chart.scatter(list(marks.values()), "median ms of one image", "mAP50-95", True, arrows)


def _point(point: Point) -> Mark:
    title = (
        f"{point.name}\n{point.ms:.2f} ms ({point.ms_low:.2f} to {point.ms_high:.2f})\n"
        f"mAP {point.map:.2f} ± {point.map_error:.2f}"
    )
    across, up = (point.ms_low, point.ms_high), (point.map - point.map_error, point.map + point.map_error)
    return Mark(point.ms, point.map, title, point.series, across, up, point.shape == "dynamic")


def distributions(rows: list[Row]) -> list[tuple[str, str]]:
    """Draw each timed cell's latencies, all of a model on one scale."""
    timed = [row for row in rows if row.speed]
    found = []
    for row in timed:
        samples = row.speed["samples_ms"]
        high = sorted(samples)[int(CLIPPED * (len(samples) - 1))]
        name = f"{row.cell.backend}/{row.cell.name}"
        found.append((name, chart.histogram(samples, name, 0.95 * min(samples), 1.05 * high)))
    return found


def shapes(rows: list[Row]) -> str:
    """Draw the median of each input shape against its pixels, for the cells of dynamic shape."""
    return chart.scatter(
        [
            Mark(_pixels(shape) / 1e3, facts["median_ms"], f"{row.cell.name} {shape}\n{facts['median_ms']:.2f} ms, "
                 f"{facts['count']} samples", f"{row.cell.backend} {row.cell.model} {row.precision}")
            for row in rows
            if row.speed and row.cell.shape == "dynamic"
            for shape, facts in row.speed["per_shape"].items()
        ],
        "thousand pixels of the input",
        "median ms",
    )  # fmt: skip


def _pixels(shape: str) -> int:
    height, width = map(int, shape.split("x"))
    return height * width


def worst(choice: dict) -> list[dict]:
    """Take the convolutions that INT8 hurts the most."""
    return sorted(choice["table"], key=lambda line: line["error"], reverse=True)[:WORST]
