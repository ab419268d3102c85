"""All that is known of each cell as a csv file: unrounded, a number where the page has a text."""

from collections.abc import Callable

import pandas as pd

from speedmap.reporting import detail_table, footnotes, throughput
from speedmap.reporting.detail_table import Columns, against, at
from speedmap.results.cell_result import CellResult


def _of_builds(choose: Callable[[list[float]], float]) -> Callable[[CellResult], float | None]:
    return lambda row: choose(row.medians) if len(row.medians) > 1 else None


def _warnings(row: CellResult) -> str | None:
    return "; ".join(map(footnotes.words, footnotes.said(row))) or None


IDENTITY: Columns = {
    "cell": at("title"),
    "backend": at("cell.backend"),
    "model": at("cell.model"),
    "precision": at("cell.precision"),
    "ran": at("precision"),
    "input": at("cell.shape"),
    "batch": at("cell.batch"),
}
NUMBERS: Columns = {
    "images/s": throughput.images_per_second,
    "p50 low ms": at("speed.summary.median_low_ms"),
    "p50 high ms": at("speed.summary.median_high_ms"),
    "builds least ms": _of_builds(min),
    "builds most ms": _of_builds(max),
    "less torch": against("torch", "value"),
    "± less torch": against("torch", "error"),
    "less float": against("float", "value"),
    "± less float": against("float", "error"),
    "quotable": at("speed.quotable"),
    "warnings": _warnings,
}
TEXTS = {"builds ms", "besides"}  # of the page
COLUMNS = {name: value for name, value in (IDENTITY | detail_table.COLUMNS | NUMBERS).items() if name not in TEXTS}
FINDINGS = detail_table.FINDINGS | set(IDENTITY) | {"warnings"}


def frame(rows: list[CellResult]) -> pd.DataFrame:
    """List every cell with every column; an invalid cell has no figures, only what was found out."""
    return detail_table.frame(rows, COLUMNS, FINDINGS)
