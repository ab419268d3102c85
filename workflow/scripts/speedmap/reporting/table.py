"""The tables that people read, and under them what ran, on what, how surely."""

from collections.abc import Callable
from functools import partial

from msgspec import UNSET

from speedmap.reporting import detail_table, footnotes, markdown, remarks, throughput
from speedmap.reporting.footnotes import Notes
from speedmap.results.cell import Cell
from speedmap.results.cell_result import NAMES, CellResult
from speedmap.results.measured import Environment
from speedmap.results.prepared import Dataset
from speedmap.results.reported import Experiment

MISSING = "not measured"
TITLES = {"dynamic": "Dynamic input [1, 3, {0}*]", "static": "Static input [1, 3, {0}, {0}]"}


def render(rows: list[CellResult], config: Experiment, dataset: Dataset, backend: str) -> str:
    """Write the page: how many speeds may be quoted, one table a shape, their foot, and the detail tables.

    rows: of the backend and of torch. Raises ValueError when there is no row at all.
    """
    if not rows:
        raise ValueError("no cell to tabulate")
    rows = remarks.noted(rows)
    rows_by_cell = {row.cell: row for row in rows}
    notes = Notes(finding for row in rows for finding in footnotes.said(row))
    single = config.batches is UNSET or 1 in config.batches
    tables = [_table(rows_by_cell, config, backend, shape, notes) for shape in config.shapes if single]
    ran, shown = partial(_ran, rows_by_cell), partial(_shown, rows_by_cell, config, notes)
    tables += throughput.render(rows_by_cell, config, backend, ran, shown)
    others = _others(rows_by_cell, config.shapes, notes)
    parts = [*quotable(rows), *tables, _foot(rows, config, dataset), *others, *notes.lines(), detail_table.render(rows)]
    return "\n\n".join(parts) + "\n"


def quotable(rows: list[CellResult]) -> list[str]:
    """Return how many of the speeds may be quoted; [] where there is none."""
    timed = [row.speed.quotable for row in rows if row.speed and not row.invalid]
    known = "watched, undisturbed, stable and known to 5%"
    if not timed:
        return []
    if all(timed):
        return [f"All {len(timed)} speeds may be quoted: their runs were {known}."]
    return [
        f"{sum(timed)} of {len(timed)} speeds may be quoted, whose runs were {known}; small numbers mark the others."
    ]


def _table(rows_by_cell: dict[Cell, CellResult], config: Experiment, backend: str, shape: str, notes: Notes) -> str:
    """Write the table of one input shape; torch, which has no static engine, stands in the dynamic one."""
    pairs = [(backend, precision, precision) for precision in config.precisions]
    if shape == "dynamic" and config.torch:
        pairs.insert(0, ("torch", "fp16", "fp32"))
    columns = {"Model": list(config.models)}
    for name, fast, exact in pairs:
        for title, precision, figure in (("Speed", fast, speed_figure), ("mAP", exact, map_figure)):
            cells = [Cell(name, model, precision, shape) for model in config.models]
            header = f"{NAMES[name]}<br><sup>{title}-{_ran(rows_by_cell, cells)}"
            columns[header] = [_figure(rows_by_cell.get(cell), cell, config, figure, notes) for cell in cells]
    table = markdown.table(list(columns), zip(*columns.values(), strict=True))
    return f"## {TITLES[shape].format(config.imgsz)}\n\n{table}"


def _ran(rows_by_cell: dict[Cell, CellResult], cells: list[Cell]) -> str:
    """Name the precision that ran in a column, `FP16/FP32` if the rows differ; what was asked for if nobody knows."""
    timed = {rows_by_cell[cell].precision for cell in cells if cell in rows_by_cell and rows_by_cell[cell].speed}
    return "/".join(sorted(timed or {cells[0].precision})).upper()


def _shown(
    rows_by_cell: dict[Cell, CellResult],
    config: Experiment,
    notes: Notes,
    cell: Cell,
    figure: Callable[[CellResult, Notes], str],
) -> str:
    return _figure(rows_by_cell.get(cell), cell, config, figure, notes)


def _figure(
    row: CellResult | None, cell: Cell, config: Experiment, figure: Callable[[CellResult, Notes], str], notes: Notes
) -> str:
    if row is None and cell.name in config.skip:
        return "skipped"
    if row and row.invalid:
        return "invalid" + notes.mark(row.invalid)
    if row is None and cell.backend == "torch" and config.models[cell.model].onnx:
        return "from ONNX"
    if figure is map_figure and config.models[cell.model].weights == "random":
        return "random weights"
    return figure(row, notes) if row else MISSING


def speed_figure(row: CellResult, notes: Notes) -> str:
    """Write a cell's median in milliseconds, to three digits, with the marks of its warnings."""
    if row.speed is None:
        return MISSING + notes.mark(row.failed)
    value = row.speed.summary.median_ms
    digits = 2 if value < 10 else 1
    return f"{value:.{digits}f} ms{notes.mark([*row.speed.warnings, *row.remarks])}"


def map_figure(row: CellResult, notes: Notes) -> str:
    """Write a cell's mAP50-95 in points, with the marks of its warnings."""
    if row.accuracy is None:
        return MISSING + notes.mark(row.failed)
    return f"{100 * row.accuracy.metrics.map:.1f}{notes.mark(row.accuracy.warnings)}"


def _others(rows_by_cell: dict[Cell, CellResult], shapes: list[str], notes: Notes) -> list[str]:
    """Mark the cells that stand in none of the tables but in the details: torch's, without one of dynamic input."""
    texts = {
        row.title: row.invalid or [*row.failed, *row.warnings, *row.remarks]
        for cell, row in rows_by_cell.items()
        if cell.shape not in shapes
    }
    marked = ", ".join(name + notes.mark(said) for name, said in texts.items() if said)
    return [f"In the details only: {marked}."] if marked else []


def _foot(rows: list[CellResult], config: Experiment, dataset: Dataset) -> str:
    speed, accuracy = config.speed, config.accuracy
    environment = next(record.environment for row in rows for record in row.measured)
    machine = ", ".join(f"{key} {value}" for key, value in environment.platform.items() if value)
    versions = ", ".join(f"{name} {version}" for name, version in environment.versions.items())
    return "\n".join((
        "\\* the long side; the other is the least multiple of 32 that holds the image. Padding is grey 114.",
        "",
        f"Speed: median milliseconds of one image through the engine alone, batch 1 (conf {speed.conf}, iou "
        f"{speed.iou} in the phases around it). mAP: COCO mAP50-95 in points on {len(dataset.images)} images of "
        f"**{dataset.name}** (conf {accuracy.conf}, iou {accuracy.iou}, max_det {accuracy.max_det}).",
        "",
        f"Machine: {machine}; {environment.cpu}; {environment.system}.",
        "",
        f"Software: {versions}; speedmap {_code(environment)}.",
    ))  # fmt: skip


def _code(environment: Environment) -> str:
    """Name the commit that measured, and what is to be known of it."""
    source = environment.commit_from
    named = "" if source == "git" else f" (as {source} says)"
    return environment.short_commit + named + (" (changed)" if environment.dirty else "")
