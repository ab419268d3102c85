"""All that is known of each cell as a csv file: unrounded, a number where the page has a text."""

from collections.abc import Callable
from operator import attrgetter

import pandas as pd

from speedmap.accuracy import paired_difference
from speedmap.reporting import detail_table, footnotes, throughput
from speedmap.reporting.detail_table import Columns
from speedmap.results.cell_result import CellResult


def _interval(end: str) -> Callable[[CellResult], float | None]:
    return lambda row: row.speed and getattr(row.speed.summary, f"median_{end}_ms")


def _of_builds(choose: Callable[[list[float]], float]) -> Callable[[CellResult], float | None]:
    return lambda row: choose(row.medians) if len(row.medians) > 1 else None


def _difference(name: str, part: str) -> Callable[[CellResult], float | None]:
    """Return a column: the difference of the mAP, its `value` or its `error`, in points."""

    def column(row: CellResult) -> float | None:
        difference = paired_difference.between(row.accuracy, row.references.get(name))
        return difference and 100 * getattr(difference, part)

    return column


def _warnings(row: CellResult) -> str | None:
    return "; ".join(map(footnotes.words, footnotes.said(row))) or None


IDENTITY: Columns = {
    "cell": attrgetter("title"),
    "backend": attrgetter("cell.backend"),
    "model": attrgetter("cell.model"),
    "precision": attrgetter("cell.precision"),
    "ran": attrgetter("precision"),
    "input": attrgetter("cell.shape"),
    "batch": attrgetter("cell.batch"),
}
NUMBERS: Columns = {
    "images/s": throughput.images_per_second,
    "p50 low ms": _interval("low"),
    "p50 high ms": _interval("high"),
    "builds least ms": _of_builds(min),
    "builds most ms": _of_builds(max),
    "less torch": _difference("torch", "value"),
    "± less torch": _difference("torch", "error"),
    "less FP16": _difference("fp16", "value"),
    "± less FP16": _difference("fp16", "error"),
    "quotable": lambda row: row.speed and row.speed.quotable,
    "warnings": _warnings,
}
TEXTS = {"builds ms", "besides"}  # of the page
COLUMNS = {name: value for name, value in (IDENTITY | detail_table.COLUMNS | NUMBERS).items() if name not in TEXTS}
FINDINGS = detail_table.FINDINGS | set(IDENTITY) | {"warnings"}


def frame(rows: list[CellResult]) -> pd.DataFrame:
    """List every cell with every column; an invalid cell has no figures, only what was found out."""
    return detail_table.frame(rows, COLUMNS, FINDINGS)
