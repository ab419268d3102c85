"""The small numbers in the tables, and what they stand for."""

from dataclasses import replace

from speedmap.results.cell import Cell
from speedmap.results.cell_result import CellResult
from speedmap.verification import validity


class Notes:
    """The marks of a page: each distinct warning or reason has a number and stands once below the tables."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def mark(self, texts: list[str]) -> str:
        """Give the marks for some texts, numbering the new ones."""
        numbers = sorted({self._numbers.setdefault(text, len(self._numbers) + 1) for text in texts})
        return f"<sup>{','.join(map(str, numbers))}</sup>" if numbers else ""

    def lines(self) -> list[str]:
        return ["\n".join(f"{number}. {text}" for text, number in self._numbers.items())] if self._numbers else []


def remarks(row: CellResult, found: dict[Cell, CellResult]) -> tuple[str, ...]:
    """Say what the reader of a cell's speed should know besides its warnings; found: all cells of the page."""
    return (*mixed(row), *missed(row), *slower(row, found), *rebuilt(row))


def mixed(row: CellResult) -> list[str]:
    """Say how much of a cell runs in another precision than the one in the header."""
    return validity.mixed(row.speed["audit"]["shares"]) if row.speed else []


def missed(row: CellResult) -> list[str]:
    """Say what was asked of a cell's graph and not reached."""
    return row.speed["audit"].get("remarks", []) if row.speed else []


def rebuilt(row: CellResult) -> list[str]:
    """Say what speaks against the further builds; of one that is worthless, only that."""
    found = []
    for number, record in enumerate(row.builds, 2):
        invalid = [f"build {number} is invalid: {text}" for text in record["audit"]["invalid"][:1]]
        found += invalid or [f"build {number}: {text}" for text in record["warnings"]]
    return found


def slower(row: CellResult, found: dict[Cell, CellResult]) -> list[str]:
    """Say that INT8 is slower than the float engine of the same model and shape, their medians' intervals apart."""
    other = found.get(replace(row.cell, precision="fp16"))
    if row.cell.precision != "int8" or not row.speed or not other or not other.speed:
        return []
    if row.speed["summary"]["median_low_ms"] <= other.speed["summary"]["median_high_ms"]:
        return []
    level = (row.engine or {}).get("options", {}).get("builder_level")
    known = f" (builder level {level}, at which TensorRT does not search for the fastest kernels)" if level == 0 else ""
    return [f"INT8 is slower than {other.precision.upper()}: conversions cost more than small types save{known}"]
