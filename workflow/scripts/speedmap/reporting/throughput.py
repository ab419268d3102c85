"""The third table: images a second by batch, of static input."""

from msgspec import UNSET

from speedmap.reporting import markdown, remarks
from speedmap.results.cell import Cell
from speedmap.results.cell_result import NAMES, CellResult
from speedmap.results.findings import Finding

TITLE = "## Throughput, static input [N, 3, {0}, {0}]"
NOTE = (
    "Images/s: N over the median time of a batch of N images through the engine alone; times in the details are of a "
    "whole batch. INT8 / float: how many times as fast INT8 is as the float engine: by engines that took turns, with "
    "its 95% interval; where they took none, between the ends of both medians' intervals, wider by what an engine "
    "timed twice differs by."
)
GRAPHED = " Torch: as a CUDA graph."


def render(page) -> list[str]:
    """Write the table of a page, a row a model and batch; [] where no batches were asked for. page: of table.py."""
    config, rows = page.config, page.rows
    if config.batches is UNSET:
        return []
    lines = [(model, batch) for model in config.models for batch in config.batches]
    columns = {"Model": [model for model, _ in lines], "Batch": [batch for _, batch in lines]}
    pairs = [*([("torch", "fp16")] if config.torch else []), *((page.backend, one) for one in config.precisions)]
    for name, precision in pairs:
        cells = [Cell(name, model, precision, "static", batch) for model, batch in lines]
        columns[f"{NAMES[name]}<br><sup>{page.ran(cells)} images/s"] = [page.shown(cell, figure) for cell in cells]
    if {"fp16", "int8"} <= set(config.precisions):
        cells = [Cell(page.backend, model, "int8", "static", batch) for model, batch in lines]
        columns["INT8 / float"] = [_ratio(rows.get(cell), rows) for cell in cells]
    graphed = any(row.graphed for cell, row in rows.items() if cell.shape == "static")
    note = NOTE + GRAPHED if graphed else NOTE
    return [f"{TITLE.format(config.imgsz)}\n\n{markdown.columns(columns)}\n\n{note}"]


def images_per_second(row: CellResult) -> float | None:
    """Return how many images a cell does in a second, torch as a CUDA graph where it was one; None if not timed."""
    return 1e3 * row.cell.batch / (row.graphed or row.speed.summary).median_ms if row.speed else None


def figure(row: CellResult) -> tuple[str, list[Finding]]:
    """Write a cell's images a second, to three digits at least, and return what is said of them."""
    value = images_per_second(row)
    if value is None:
        return "", []
    return f"{value:.{0 if value >= 100 else 1 if value >= 10 else 2}f}", [*row.speed.warnings, *row.remarks]


def _ratio(row: CellResult | None, rows: dict[Cell, CellResult]) -> str:
    twin = row and remarks.twin(row, rows)
    return "{:.2f} ({:.2f} to {:.2f})".format(*remarks.ratio(row, twin)) if twin else ""
