"""What the report says first: what to take within a latency budget, what loses mAP, what INT8 gains and costs."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, floor, log10

import numpy as np

from speedmap.accuracy import paired_difference
from speedmap.accuracy.paired_difference import Difference
from speedmap.reporting import remarks
from speedmap.reporting.footnotes import words
from speedmap.reporting.pareto_points import joined, name
from speedmap.results.cell_result import CellResult

STEPS = 40  # between the least and the largest budget
DIGITS = 3  # of a budget
DISTURBED = "not to be quoted: the run was disturbed, unwatched or is ill known"


@dataclass(frozen=True)
class Budget:
    """What to take if one image may take `label`: the most accurate engine, and the fastest. `""` for none."""

    label: str
    accurate: str
    fastest: str


@dataclass(frozen=True)
class Loss:
    """An engine's mAP less that of a reference, `torch` or `float`."""

    name: str
    against: str
    difference: Difference


@dataclass(frozen=True)
class Gain:
    """How many times as fast INT8 is as its float twin with a 95% interval, and what it does to the mAP.

    turns: whether the engines took turns. cost: None where no error of it is known. doubt: `""` for none.
    """

    row: CellResult
    twin: CellResult
    ratio: float
    low: float
    high: float
    turns: bool
    cost: Difference | None
    doubt: str


def budgets(rows: list[CellResult]) -> list[Budget]:
    """Answer a range of budgets, the least first: from the fastest cell's median to the slowest one's."""
    timed = _timed(rows)
    if not timed:
        return []
    scored = joined(rows)
    medians = [_ms(row) for row in timed]
    limits = dict.fromkeys(map(_rounded_up, np.geomspace(min(medians), max(medians), STEPS + 1)))
    return [
        Budget(f"{limit:g} ms", _told(most_accurate(scored, limit)), _told(fastest(timed, limit))) for limit in limits
    ]


def start(answers: list[Budget], rows: list[CellResult]) -> int:
    """Return which budget to show first: the least that half of the cells keep."""
    middle = np.median([_ms(row) for row in _timed(rows)])
    return next(index for index, answer in enumerate(answers) if float(answer.label.split()[0]) >= middle)


def most_accurate(rows: list[CellResult], limit: float) -> CellResult | None:
    """Return the fastest of the cells within a budget whose mAP is not surely below the best of them."""
    within = [row for row in rows if _ms(row) <= limit]
    if not within:
        return None
    best = max(within, key=lambda row: row.accuracy.metrics.map)
    return fastest([row for row in within if not _surely_below(row, best)], limit)


def _surely_below(row: CellResult, best: CellResult) -> bool:
    """Return whether a mAP is lower; any lower one where the error of the difference is unknown."""
    difference = paired_difference.between(row.accuracy, best.accuracy)
    return difference.sure if difference else row.accuracy.metrics.map < best.accuracy.metrics.map


def fastest(rows: list[CellResult], limit: float) -> CellResult | None:
    """Return the fastest of the cells within a budget."""
    return min((row for row in rows if _ms(row) <= limit), key=_ms, default=None)


def _timed(rows: list[CellResult]) -> list[CellResult]:
    """Take the cells that tell the latency of one image."""
    return [row for row in rows if row.has_speed and row.cell.batch == 1]


def _ms(row: CellResult) -> float:
    return row.speed.summary.median_ms


def _rounded_up(limit: float) -> float:
    unit = 10 ** (floor(log10(limit)) - DIGITS + 1)
    return round(ceil(limit / unit * (1 - 1e-12)) * unit, 12)


def _told(row: CellResult | None) -> str:
    """Write a cell with its figures and what speaks against quoting them."""
    if row is None:
        return ""
    summary, phases = row.speed.summary, row.speed.phases
    parts = [f"{name(row)}: {summary.median_ms:.3g} ms ({summary.median_low_ms:.3g} to {summary.median_high_ms:.3g})"]
    if phases.end_to_end:
        parts.append(f"end to end {phases.end_to_end:.3g} ms")
    if row.accuracy:
        parts.append(f"mAP {scored(row)}")
    doubts = "; ".join(map(words, row.speed.warnings))
    return ", ".join(parts) + ("" if row.speed.quotable else f" (not to be quoted: {doubts})")


def scored(row: CellResult) -> str:
    """Write a mAP in points with its standard error."""
    metrics = row.accuracy.metrics
    return f"{100 * metrics.map:.1f}" + ("" if metrics.map_se is None else f" ± {100 * metrics.map_se:.1f}")


def losses(rows: list[CellResult]) -> list[Loss]:
    """Hold the mAP of each engine against torch's, else INT8's against the float engine's; the least loss first."""
    engines = [row for row in joined(rows) if row.cell.backend != "torch"]
    held = [
        Loss(name(row), key, difference)
        for row in engines
        for key in list(row.references)[:1]
        if (difference := paired_difference.between(row.accuracy, row.references[key]))
    ]
    return sorted(held, key=lambda loss: -loss.difference.value)


def gains(rows: list[CellResult]) -> list[Gain]:
    """Hold each INT8 engine against the float engine of its model and input."""
    by_cell = {row.cell: row for row in rows}
    return [_gain(row, twin) for row in rows if (twin := remarks.twin(row, by_cell))]


def _gain(row: CellResult, twin: CellResult) -> Gain:
    cost = paired_difference.between(row.accuracy, twin.accuracy)
    return Gain(row, twin, *remarks.ratio(row, twin), row.speedup is not None, cost, _doubt(row, twin))


def _doubt(row: CellResult, twin: CellResult) -> str:
    """Return what speaks against a ratio; of engines that took turns, only what disturbed these turns."""
    if not row.speedup:
        return "" if row.speed.quotable and twin.speed.quotable else DISTURBED
    if row.speedup.watch is None:
        return "not noted whether anything disturbed the turns"
    return "the turns were disturbed" if row.speedup.disturbed else ""


def shared(doubts: Iterable[str]) -> str:
    """Return the doubt that all figures have, so that it can stand once; `""` where they have no common one."""
    first, *others = set(doubts) or {""}
    return "" if others else first
