"""The report: one HTML file that shows all results and needs nothing else, no network either."""

import json
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup
from msgspec import to_builtins

from speedmap.dataset.letterbox import pixels
from speedmap.reporting import charts, markdown, roofline
from speedmap.reporting.pareto_points import points, series
from speedmap.results.cell_result import CellResult
from speedmap.results.prepared import Choice, ConvCost, Peaks
from speedmap.results.reported import Provenance

WORST = 12  # convolutions of each model in the sensitivity table
WIDE = "container"  # a chart is as wide as its place on the page


def render(
    template: Path,
    table: str,
    rows: list[CellResult],
    work: dict[str, int],
    peaks: Peaks,
    sensitivity: dict[str, Choice],
    facts: Provenance,
    bundle: str,
) -> str:
    """Fill the template.

    table: of table.md. work: multiply-adds by model at the config's imgsz. sensitivity: by model, as choose_float wrote
    it. facts: of environment.json. bundle: the JavaScript that draws the charts.
    """
    environment = Environment(
        loader=FileSystemLoader(template.parent), autoescape=select_autoescape(default=True), undefined=StrictUndefined
    )
    return environment.get_template(template.name).render(
        bundle=Markup(bundle),
        table=Markup(markdown.html(table)),
        pareto=charts.pareto(points(rows), WIDE).to_dict(),
        distributions=distributions(rows),
        shapes=shapes(rows),
        roofs=roofline.roofs(rows, work, peaks, facts.config.imgsz),
        peak_doubts=roofline.doubts(rows, work, peaks, facts.config.imgsz),
        peaks=peaks,
        sensitivity={
            model: (_costs(choice.table), worst(choice), reached(choice)) for model, choice in sensitivity.items()
        },
        worst=WORST,
        facts=facts,
        dump=json.dumps(to_builtins(facts), indent=1, ensure_ascii=False),
    )


def distributions(rows: list[CellResult]) -> list[tuple[str, dict]]:
    """Draw each timed cell's latencies, each on a scale of its own."""
    samples = {row.title: row.speed.samples_ms for row in rows if row.speed and not row.invalid}
    return [(name, charts.distribution(values, name, WIDE).to_dict()) for name, values in samples.items()]


def shapes(rows: list[CellResult]) -> list[tuple[str, dict]]:
    """Draw each model's medians of the input shapes against their pixels, for the cells of dynamic input."""
    timed = [row for row in rows if row.speed and row.cell.shape == "dynamic" and not row.invalid]
    medians = {model: [] for model in dict.fromkeys(row.cell.model for row in timed)}
    for row in timed:
        medians[row.cell.model] += _medians(row)
    return [(model, charts.shapes(values, WIDE).to_dict()) for model, values in medians.items()]


def _medians(row: CellResult) -> list[dict]:
    return [
        {"series": series(row), "shape": shape, "kilopixels": pixels(shape) / 1e3, "ms": times.median_ms,
         "samples": times.count}
        for shape, times in row.speed.per_shape.items()
    ]  # fmt: skip


def _costs(lines: list[dict]) -> dict:
    return charts.costs(lines, WIDE).to_dict() if lines else {}


def reached(choice: Choice) -> str:
    """Return what was chosen, and what it does to the output."""
    kept = f"{len(choice.in_float)} convolutions stay in float"
    if choice.reached is None:  # random weights: nothing was scanned
        return f"{kept}."
    wanted = f", int8.target is {choice.target:g}" if choice.target else ""
    change = f"the output changes by {choice.reached:.2g}{wanted}"
    return f"{kept}, {choice.int8_share:.1%} of the multiply-adds are in INT8: {change}."


def worst(choice: Choice) -> list[ConvCost]:
    """Take the convolutions that INT8 hurts the most."""
    return sorted(choice.table, key=lambda line: line.error, reverse=True)[:WORST]
