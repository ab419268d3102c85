"""What the reader of a cell's speed should know besides its warnings, each remark with its evidence."""

from collections import Counter
from dataclasses import replace

from speedmap.results.cell import Cell
from speedmap.results.cell_result import CellResult
from speedmap.results.findings import Finding, Int8Slower, NotCompared, OfBuild, OfTurns
from speedmap.results.speedup import Speedup
from speedmap.results.timing_findings import Disturbance
from speedmap.verification import validity

LEAST = 0.01  # slower than that is worth a word
REPEAT = 0.08  # relative, that an engine timed twice, each time in a process of its own, was seen to differ by
NAMED = 0.8  # of what slower layers cost: the kinds that make up so much are named
SHARE = 0.5  # of the difference between two engines that their layers must show, and it of theirs, to be why


def noted(rows: list[CellResult]) -> list[CellResult]:
    """Note the remarks on each of the cells of a page."""
    by_cell = {row.cell: row for row in rows}
    return [replace(row, remarks=_remarks(row, by_cell)) for row in rows]


def _remarks(row: CellResult, rows: dict[Cell, CellResult]) -> tuple[Finding, ...]:
    audit = row.speed.audit if row.speed else None
    of_engine = [*validity.mixed(audit.shares), *audit.remarks] if audit else []
    float_twin = twin(row, rows)
    compared = against_float(row, float_twin) if float_twin else []
    return (*of_engine, *compared, *in_turns(row), *rebuilt(row))


def twin(row: CellResult, rows: dict[Cell, CellResult]) -> CellResult | None:
    """Return the float engine of the model and input of an INT8 one, where both have a speed that is not worthless."""
    other = rows.get(replace(row.cell, precision="fp16"))
    return other if row.cell.precision == "int8" and row.has_speed and other and other.has_speed else None


def in_turns(row: CellResult) -> list[OfTurns]:
    """Return what disturbed the run that the speed-up is from."""
    warnings = row.speedup.warnings if row.speedup else ()
    return [OfTurns(warning) for warning in warnings if isinstance(warning, Disturbance)]


def rebuilt(row: CellResult) -> list[OfBuild]:
    """Return what speaks against the further builds; of one that is worthless, only that."""
    said = []
    for number, record in enumerate(row.builds, 2):
        invalid = [OfBuild(number, reason, True) for reason in record.audit.invalid[:1]]
        said += invalid or [OfBuild(number, warning, False) for warning in record.warnings]
    return said


def against_float(row: CellResult, twin: CellResult) -> list[Int8Slower | NotCompared]:
    """Return that INT8 is slower than the float engine of the same model and input, and why if their layers tell.

    [] where it is not surely slower; that it reads slower is no finding where a run cannot be quoted.
    """
    times, low, high = ratio(row, twin)
    if high > 1 - LEAST:
        return []
    if doubtful := _doubtful(row, twin):
        return [NotCompared(twin.precision, tuple(doubtful))]
    level = row.engine.builder_level if row.engine else None
    return [Int8Slower(twin.precision, times, low, high, row.speedup is not None, level, why(row.speedup))]


def ratio(row: CellResult, twin: CellResult) -> tuple[float, float, float]:
    """Return how many times as fast INT8 is as its twin, and from where to where that may be.

    Of engines that took turns, with its 95% interval. Of two runs, between the outer ends of both medians' intervals,
    and by REPEAT wider, since neither knows of other processes.
    """
    if row.speedup:
        return row.speedup.ratio, row.speedup.low, row.speedup.high
    first, second = twin.speed.summary, row.speed.summary
    return (
        first.median_ms / second.median_ms,
        first.median_low_ms / second.median_high_ms / (1 + REPEAT),
        first.median_high_ms / second.median_low_ms * (1 + REPEAT),
    )


def _doubtful(row: CellResult, twin: CellResult) -> list[str]:
    """Name the runs that a comparison is from and that cannot be quoted: of both in turns, where they took turns."""
    if row.speedup:
        return ["both in turns"] if row.speedup.disturbed else []
    runs = {twin.precision.upper(): twin.speed, "INT8": row.speed}
    return [name for name, speed in runs.items() if not speed.quotable]


def why(speedup: Speedup | None) -> dict[str, float] | None:
    """Return the kinds of layers that take longer in INT8, in milliseconds, if they are why it is slower.

    None where the layers were not timed. {} where they do not tell: what they take more does not outweigh what they
    take less, is little of the difference between the two engines, or is far above it, since profiling slows layers.
    """
    if not speedup or not speedup.layers.first:
        return None
    changes = _by_work(speedup.layers.second)
    changes.subtract(_by_work(speedup.layers.first))
    difference = speedup.second_ms - speedup.first_ms
    if not SHARE * difference <= sum(changes.values()) <= difference / SHARE:
        return {}
    slower = sorted(((kind, ms) for kind, ms in changes.items() if ms > 0), key=lambda item: -item[1])
    cost, named = sum(ms for _, ms in slower), {}
    for kind, ms in slower:
        if sum(named.values()) < NAMED * cost:
            named[kind] = ms
    return named


def _by_work(layers: dict[str, float]) -> Counter[str]:
    """Sum up kinds that do the same work: in one precision a convolution may run as another kind than in the other."""
    work = Counter()
    for kind, ms in layers.items():
        work["Convolution" if kind.endswith("Convolution") else kind] += ms
    return work
