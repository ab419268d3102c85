"""The third table: images a second by batch, of static input."""

from collections.abc import Callable

from msgspec import UNSET

from speedmap.reporting import markdown, remarks
from speedmap.reporting.footnotes import Notes
from speedmap.results.cell import Cell
from speedmap.results.cell_result import NAMES, CellResult
from speedmap.results.measured import Summary
from speedmap.results.reported import Experiment

TITLE = "## Throughput, static input [N, 3, {0}, {0}]"
NOTE = (
    "Images/s: N over the median time of a batch of N images through the engine alone; times in the details are of a "
    "whole batch. INT8 / FP16: how many times as fast INT8 is: by engines that took turns, with its 95% interval; "
    "where they took none, between the ends of both medians' intervals, wider by what an engine timed twice differs by."
)
GRAPHED = " Torch: as a CUDA graph."
NONE = "not measured"

Rows = dict[Cell, CellResult]
Shown = Callable[[Cell, Callable[[CellResult, Notes], str]], str]  # a figure, or why there is none


def render(rows: Rows, config: Experiment, backend: str, ran: Callable[[list[Cell]], str], shown: Shown) -> list[str]:
    """Write the table, a row a model and batch; [] where no batches were asked for.

    ran: names the precision that ran in some cells. shown: writes a cell's figure with its marks, or why it has none.
    """
    if config.batches is UNSET:
        return []
    lines = [(model, batch) for model in config.models for batch in config.batches]
    columns = {"Model": [model for model, _ in lines], "Batch": [batch for _, batch in lines]}
    for name, precision in [*([("torch", "fp16")] if config.torch else []), *((backend, p) for p in config.precisions)]:
        cells = [Cell(name, model, precision, "static", batch) for model, batch in lines]
        columns[f"{NAMES[name]}<br><sup>{ran(cells)} images/s"] = [shown(cell, figure) for cell in cells]
    if {"fp16", "int8"} <= set(config.precisions):
        columns["INT8 / FP16"] = [_ratio(rows, Cell(backend, model, "int8", "static", batch)) for model, batch in lines]
    graphed = any(graph(row) for cell, row in rows.items() if cell.shape == "static" and row.speed)
    table = markdown.table(list(columns), zip(*columns.values(), strict=True))
    return [f"{TITLE.format(config.imgsz)}\n\n{table}\n\n{NOTE}{GRAPHED if graphed else ''}"]


def graph(row: CellResult) -> Summary | None:
    """Return torch's times as a CUDA graph, which is how a TensorRT engine runs anyway; None where there are none."""
    return row.speed.alternatives.get("cuda_graph") if row.speed else None


def images_per_second(row: CellResult) -> float | None:
    """Return how many images a cell does in a second, torch as a CUDA graph where it was one; None if not timed."""
    return 1e3 * row.cell.batch / (graph(row) or row.speed.summary).median_ms if row.speed else None


def figure(row: CellResult, notes: Notes) -> str:
    """Write a cell's images a second, to three digits at least, with the marks of its warnings."""
    value = images_per_second(row)
    if value is None:
        return NONE + notes.mark(row.failed)
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:.{digits}f}{notes.mark([*row.speed.warnings, *row.remarks])}"


def _ratio(rows: Rows, cell: Cell) -> str:
    figures = ratio(rows, cell)
    return "{:.2f} ({:.2f} to {:.2f})".format(*figures) if figures else ""


def ratio(rows: Rows, cell: Cell) -> tuple[float, float, float] | None:
    """Return how many times as fast an INT8 cell is as its FP16 twin, and from where to where it may be.

    None where either is not there or invalid.
    """
    twin = Cell(cell.backend, cell.model, "fp16", cell.shape, cell.batch)
    pair = [rows[each] for each in (twin, cell) if each in rows and rows[each].speed and not rows[each].invalid]
    if len(pair) < 2:
        return None
    return remarks.turns(pair[1].speedup) if pair[1].speedup else remarks.alone(pair[0].speed, pair[1].speed)
