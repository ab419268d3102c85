"""The tables that people read, and under them what ran, on what, how surely."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from msgspec import UNSET

from speedmap.reporting import detail_table, footnotes, markdown, remarks, throughput
from speedmap.reporting.footnotes import Notes
from speedmap.results.cell import Cell
from speedmap.results.cell_result import NAMES, CellResult
from speedmap.results.environment import Environment
from speedmap.results.findings import Finding
from speedmap.results.inventory import Dataset
from speedmap.results.reported import Experiment

MISSING = "not measured"
TITLES = {"dynamic": "Dynamic input [1, 3, {0}*]", "static": "Static input [1, 3, {0}, {0}]"}


Figure = tuple[str, Sequence[Finding]]  # a figure as text, "" where it was not measured, and what is said of it


@dataclass(frozen=True)
class Page:
    """What the tables of a page are made from."""

    rows: dict[Cell, CellResult]
    config: Experiment
    backend: str
    notes: Notes

    def ran(self, cells: list[Cell]) -> str:
        """Name the precision that ran in a column, `FP16/FP32` if rows differ; what was asked for if none is valid."""
        timed = {self.rows[cell].precision for cell in cells if cell in self.rows and self.rows[cell].has_speed}
        return "/".join(sorted(timed or {cells[0].precision})).upper()

    def shown(self, cell: Cell, figure: Callable[[CellResult], Figure]) -> str:
        """Write a cell's figure with the marks of what is said of it, or why there is none."""
        row, model = self.rows.get(cell), self.config.models[cell.model]
        if row is None and cell.name in self.config.skip:
            return "skipped"
        if row and row.invalid:
            return "invalid" + self.notes.mark(row.invalid)
        if row is None and cell.backend == "torch" and model.onnx:
            return "from ONNX"
        if figure is map_figure and model.weights == "random":
            return "random weights"
        text, said = figure(row) if row else ("", [])
        return text + self.notes.mark(said) if text else MISSING + self.notes.mark(row.failed if row else [])


def render(rows: list[CellResult], config: Experiment, dataset: Dataset, backend: str) -> str:
    """Write the page: how many speeds may be quoted, one table a shape, their foot, and the detail tables.

    rows: of the backend and of torch. Raises ValueError when there is no row at all.
    """
    if not rows:
        raise ValueError("no cell to tabulate")
    rows = remarks.noted(rows)
    notes = Notes(finding for row in rows for finding in footnotes.said(row))
    page = Page({row.cell: row for row in rows}, config, backend, notes)
    single = config.batches is UNSET or 1 in config.batches
    tables = [_table(page, shape) for shape in config.shapes if single] + throughput.render(page)
    parts = [*quotable(rows), *tables, _foot(rows, config, dataset), *_others(page), *notes.lines()]
    return "\n\n".join([*parts, detail_table.render(rows)]) + "\n"


def quotable(rows: list[CellResult]) -> list[str]:
    """Return how many of the speeds may be quoted; [] where there is none."""
    timed = [row.speed.quotable for row in rows if row.has_speed]
    known = "watched, undisturbed, stable and known to 5%"
    if not timed:
        return []
    if all(timed):
        return [f"All {len(timed)} speeds may be quoted: their runs were {known}."]
    return [
        f"{sum(timed)} of {len(timed)} speeds may be quoted, whose runs were {known}; small numbers mark the others."
    ]


def _table(page: Page, shape: str) -> str:
    """Write the table of one input shape; torch, which has no static engine, stands in the dynamic one."""
    config = page.config
    pairs = [(page.backend, precision, precision) for precision in config.precisions]
    if shape == "dynamic" and config.torch:
        pairs.insert(0, ("torch", "fp16", "fp32"))
    columns = {"Model": list(config.models)}
    for name, fast, exact in pairs:
        for title, precision, figure in (("Speed", fast, speed_figure), ("mAP", exact, map_figure)):
            cells = [Cell(name, model, precision, shape) for model in config.models]
            header = f"{NAMES[name]}<br><sup>{title}-{page.ran(cells)}"
            columns[header] = [page.shown(cell, figure) for cell in cells]
    return f"## {TITLES[shape].format(config.imgsz)}\n\n{markdown.columns(columns)}"


def speed_figure(row: CellResult) -> Figure:
    """Write a cell's median in milliseconds, to three digits."""
    if row.speed is None:
        return "", []
    value = row.speed.summary.median_ms
    return f"{value:.{2 if value < 10 else 1}f} ms", [*row.speed.warnings, *row.remarks]


def map_figure(row: CellResult) -> Figure:
    """Write a cell's mAP50-95 in points."""
    return (f"{100 * row.accuracy.metrics.map:.1f}", row.accuracy.warnings) if row.accuracy else ("", [])


def _others(page: Page) -> list[str]:
    """Mark the cells that stand in none of the tables but in the details: torch's, without one of dynamic input."""
    rows = [row for cell, row in page.rows.items() if cell.shape not in page.config.shapes]
    marked = ", ".join(row.title + page.notes.mark(said) for row in rows if (said := footnotes.said(row)))
    return [f"In the details only: {marked}."] if marked else []


def _foot(rows: list[CellResult], config: Experiment, dataset: Dataset) -> str:
    speed, accuracy = config.speed, config.accuracy
    environment = next(record.environment for row in rows for record in row.measured)
    machine = ", ".join(f"{key} {value}" for key, value in environment.platform.items() if value)
    versions = ", ".join(f"{name} {version}" for name, version in environment.versions.items())
    derived = f" Of its annotations: {'; '.join(dataset.derived)}." if dataset.derived else ""
    return "\n".join((
        "\\* the long side; the other is the least multiple of 32 that holds the image. Padding is grey 114.",
        "",
        f"Speed: median milliseconds of one image through the engine alone, batch 1 (conf {speed.conf}, iou "
        f"{speed.iou} in the phases around it). mAP: COCO mAP50-95 in points on {len(dataset.images)} images of "
        f"**{dataset.name}** (conf {accuracy.conf}, iou {accuracy.iou}, max_det {accuracy.max_det}).{derived}",
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
