"""What a report tells of earlier runs: the history on this machine, and what changed since a baseline."""

from pathlib import Path

from speedmap.errors import UserError
from speedmap.publishing import compare, history
from speedmap.results.cell_result import CellResult, gather
from speedmap.results.reported import Change, Limits, Measured


def held(rows: list[CellResult], baseline: str, paths: list[str], limits: Limits) -> tuple[list[Change], str]:
    """Judge the figures against a baseline's; returns the changes, and what they are held against or why none are.

    baseline: its folder, `""` for none. paths: of its records. A report is also made where nothing can be compared.
    """
    if not baseline:
        return [], "No baseline is published for this device."
    try:
        return compare.compare(gather(paths), rows, limits), f"The baseline is {baseline}."
    except UserError as error:
        return [], f"Not held against {baseline}: {error}."


def past(path: Path, rows: list[CellResult]) -> list[Measured]:
    """Read a history, as far as there is one, and add the figures of now that it does not have yet."""
    before = history.read(path) if path.exists() else []
    known = {_key(line) for line in before}
    return before + [line for line in history.lines(rows) if _key(line) not in known]


def _key(line: Measured) -> tuple:
    return line.cell, line.figure, line.measured
