"""The report: one HTML file that shows all results, its answers first, and needs nothing else, no network either."""

import json
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup
from msgspec import to_builtins

from speedmap.dataset.letterbox import pixels
from speedmap.reporting import (
    batch_charts,
    by_class,
    cell_table,
    charts,
    claim_picture,
    claims,
    detail_charts,
    markdown,
    palette,
    roofline,
    verdicts,
)
from speedmap.reporting.detection_pictures import Picture
from speedmap.reporting.pareto_points import points, series
from speedmap.results.cell_result import CellResult
from speedmap.results.prepared import Choice, ConvCost, Peaks
from speedmap.results.reported import Change, Measured, Provenance

WORST = 12  # convolutions of each model in the sensitivity table
DETAILS = "## Details"  # begins the part of table.md that is folded


@dataclass(frozen=True)
class Material:
    """What a report is made from.

    table: of table.md. work: multiply-adds by model at the config's imgsz. sensitivity: by model, as choose_float wrote
    it. facts: of environment.json. compared: what the changes are held against, or why there are none. past: lines of
    the history, the oldest first.
    """

    rows: list[CellResult]
    table: str
    work: dict[str, int]
    peaks: Peaks
    sensitivity: dict[str, Choice]
    facts: Provenance
    changes: list[Change] = field(default_factory=list)
    compared: str = ""
    past: list[Measured] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)


def render(template: Path, material: Material, bundle: str) -> str:
    """Fill the template; bundle: the JavaScript that draws the charts."""
    environment = Environment(
        loader=FileSystemLoader(template.parent), autoescape=select_autoescape(default=True), undefined=StrictUndefined
    )
    rows, facts = material.rows, material.facts
    table, _, details = material.table.partition(DETAILS)
    return environment.get_template(template.name).render(
        **(answers := _answers(rows, facts)),
        bundle=Markup(bundle),
        paper=palette.PAPER,
        width=charts.FILE_WIDTH,
        pages={"light": palette.LIGHT._asdict(), "dark": palette.DARK._asdict()},
        cells=(cells := cell_table.lines(rows, material.changes, material.past)),
        powered=any(line.power for line in cells),
        held=bool(material.changes),
        compared=material.compared,
        table=Markup(markdown.html(table)),
        details=Markup(markdown.html(details)),
        pareto=charts.pareto(points(rows), charts.WIDE).to_dict()
        | {"title": {"text": charts.PARETO, "subtitle": [answers["machine"], charts.READ]}},
        distributions=distributions(rows),
        shapes=shapes(rows),
        throughput=batch_charts.throughput(rows),
        sustained=batch_charts.sustained(rows),
        layers=layers(rows),
        lint={row.title: row.speed.audit.lint for row in rows if row.speed and row.speed.audit.lint},
        **_roofs(material),
        sensitivity={
            model: (choice.table and charts.costs(choice.table).to_dict(), worst(choice), reached(choice))
            for model, choice in material.sensitivity.items()
        },
        worst=WORST,
        pictures=material.pictures,
        classes=by_class.tables(rows),
        facts=facts,
        dump=json.dumps(to_builtins(facts), indent=1, ensure_ascii=False),
    )


def _answers(rows: list[CellResult], facts: Provenance) -> dict:
    """Return what stands first."""
    answers, pairs = verdicts.budgets(rows), verdicts.gains(rows)
    timed = next((row for row in rows if row.speed and row.cell.backend != "torch"), None)
    return {
        "machine": claims.machine(timed) if timed else facts.machine.cpu,
        "measured": max((figure.measured for figure in facts.figures.values()), default="")[:10],
        "budgets": [to_builtins(answer) for answer in answers],
        "start": verdicts.start(answers, rows) if answers else 0,
        "losses": verdicts.losses(rows),
        "gains": pairs,
        "shared_doubt": verdicts.shared(pair.doubt for pair in pairs),
        "claims": [(str(claim), claim_picture.addresses(claim)) for claim in claims.claims(rows, facts.config)],
    }


def _roofs(material: Material) -> dict:
    """Return the roofline as a picture and as lines."""
    computed = roofline.roofline(material.rows, material.work, material.peaks, material.facts.config.imgsz)
    drawn = (
        detail_charts.roofline(computed.roofs, computed.operations, computed.moved).to_dict()
        if computed.roofs
        else None
    )
    return {"roofs": computed.roofs, "roofline": drawn, "peak_doubts": computed.doubts, "peaks": material.peaks}


def _by_model(rows: list[CellResult]) -> dict[str, list[CellResult]]:
    """Group the timed cells by their model."""
    by_model = defaultdict(list)
    for row in rows:
        if row.has_speed:
            by_model[row.cell.model].append(row)
    return by_model


def distributions(rows: list[CellResult]) -> list[tuple[str, dict]]:
    """Draw the latencies of each model's timed cells on one scale."""
    return [
        (model, detail_charts.latencies([(f"{series(row)} {row.cell.input}", series(row), row.speed.samples_ms)
                                         for row in timed]).to_dict())
        for model, timed in _by_model(rows).items()
    ]  # fmt: skip


def layers(rows: list[CellResult]) -> list[tuple[str, dict]]:
    """Draw where either engine's time goes, of each pair whose layers were timed."""
    return [
        (
            f"{gain.row.cell.model}, {gain.row.cell.input} input",
            detail_charts.layers(gain.row.speedup.layers, gain.twin.precision).to_dict(),
        )
        for gain in verdicts.gains(rows)
        if gain.row.speedup and gain.row.speedup.layers.first
    ]


def shapes(rows: list[CellResult]) -> list[tuple[str, dict]]:
    """Draw each model's medians of the input shapes against their pixels, for the cells of dynamic input."""
    dynamic = _by_model([row for row in rows if row.cell.shape == "dynamic"])
    return [(model, charts.shapes([one for row in timed for one in _medians(row)]).to_dict())
            for model, timed in dynamic.items()]  # fmt: skip


def _medians(row: CellResult) -> list[charts.ShapeTime]:
    return [
        charts.ShapeTime(series(row), shape, pixels(shape) / 1e3, times.median_ms, times.count)
        for shape, times in row.speed.per_shape.items()
    ]


def reached(choice: Choice) -> str:
    """Return what was chosen, and what it does to the output."""
    kept = f"{len(choice.in_float)} convolutions stay in float"
    if choice.reached is None:  # random weights: nothing was scanned
        return f"{kept}."
    wanted = f", int8.target is {choice.target:g}" if choice.target else ""
    change = f"the output changes by {choice.reached:.2g}{wanted}"
    ranges = "".join(f"; the range of {tensor} is by {method}" for tensor, method in choice.ranges.items())
    return f"{kept}, {choice.int8_share:.1%} of the multiply-adds are in INT8{ranges}: {change}."


def worst(choice: Choice) -> list[ConvCost]:
    """Take the convolutions that INT8 hurts the most."""
    return sorted(choice.table, key=lambda line: line.error, reverse=True)[:WORST]
