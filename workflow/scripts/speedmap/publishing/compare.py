"""Hold today's records against a baseline's: what became slower, faster, better, worse, and what is gone or new."""

import math
from collections.abc import Callable

from speedmap.accuracy import paired_difference
from speedmap.errors import UserError
from speedmap.results.accuracy import Accuracy
from speedmap.results.cell import Cell
from speedmap.results.cell_result import CellResult
from speedmap.results.reported import Change, Limits
from speedmap.results.speed import Speed, Summary

REGRESSED, IMPROVED, NOISE, MISSING, NEW = "regressed", "improved", "within noise", "missing", "new"
UNJUDGED = "not judged"  # of a disturbed run, then or now
ORDER = (REGRESSED, MISSING, UNJUDGED, IMPROVED, NEW, NOISE)
BAD = {REGRESSED, MISSING}
REMEDY = "give `baseline` a folder of a run taken alike, or publish this one"


class CompareError(UserError):
    """Runs that cannot be compared; the message names what differs and the remedy."""


Side = dict[Cell, CellResult]
Figure = Speed | Accuracy


def _driver(record: Figure) -> object:
    return record.environment.driver or (record.watch.driver if isinstance(record, Speed) else None)


MUST_MATCH: dict[str, Callable[[Figure], object]] = {
    "device": lambda record: record.environment.device,
    "processor": lambda record: record.environment.cpu,
    "driver": _driver,
    "protocol": lambda record: record.protocol,
    "input size": lambda record: record.imgsz,
    "data set": lambda record: record.dataset.sha256,
}


def compare(before: list[CellResult], after: list[CellResult], limits: Limits) -> list[Change]:
    """Judge every figure of either side, the bad news first; CompareError when the sides are unlike."""
    old, new = ({row.cell: row for row in rows} for rows in (before, after))
    refuse_unlike(old, new)
    cells = list(dict.fromkeys((*new, *old)))
    changes = [
        judge((old.get(cell) or new[cell]).title, *_rows(old, new, cell), figure, limits)
        for cell in cells
        for figure in ("speed", "mAP")
        if any(_record(row, figure) for row in _rows(old, new, cell))
    ]
    return sorted(changes, key=lambda change: ORDER.index(change.verdict))


def _rows(old: Side, new: Side, cell: Cell) -> tuple[CellResult | None, CellResult | None]:
    return old.get(cell), new.get(cell)


def _record(row: CellResult | None, figure: str) -> Figure | None:
    """Return the record behind a figure; an invalid cell has none."""
    if row is None or row.invalid:
        return None
    return row.speed if figure == "speed" else row.accuracy


def refuse_unlike(old: Side, new: Side) -> None:
    """Raise CompareError where records of one cell were not taken alike, or no cell is on both sides."""
    if old and new and not old.keys() & new.keys():
        name = "{0.backend}/{0.name}".format(next(iter(old)))
        raise CompareError(f"no cell of the baseline, such as {name}, is measured here; {REMEDY}")
    for cell in old.keys() & new.keys():
        for figure in ("speed", "mAP"):
            before, after = (_record(row, figure) for row in _rows(old, new, cell))
            if before and after and (found := unlike(before, after)):
                raise CompareError(f"{cell.backend}/{cell.name}: {'; '.join(found)}; {REMEDY}")


def unlike(before: Figure, after: Figure) -> list[str]:
    """Name in which of the things that must match two records differ, and how."""
    sides = {name: (fact(before), fact(after)) for name, fact in MUST_MATCH.items()}
    return [f"another {name} ({old} then, {new} now)" for name, (old, new) in sides.items() if old != new]


def judge(cell: str, before: CellResult | None, after: CellResult | None, figure: str, limits: Limits) -> Change:
    """Return what became of one figure of one cell; of a disturbed run follows nothing."""
    then, now = _record(before, figure), _record(after, figure)
    sides = {"before": _value(then), "after": _value(now), **_doubts(then, now)}
    if then is None or now is None:
        return Change(cell, figure, MISSING if now is None else NEW, **sides)
    if figure == "speed":
        change, error = slowdown(then.summary, now.summary, (before.build_error, after.build_error))
        judged = verdict(change, error, limits.speed, limits.speed_always)
        judged = UNJUDGED if then.disturbed or now.disturbed else judged
    else:
        difference = paired_difference.between(now, then)
        change, error = (difference.value, difference.error) if difference else (_value(now) - _value(then), None)
        judged = verdict(-change, error, limits.map, limits.map_always)
    return Change(cell, figure, judged, change=change, error=error, **sides)


def _doubts(then: Figure | None, now: Figure | None) -> dict[str, object]:
    """Return what is to be known of either side's median: its interval, and what the run warned of."""
    sides = {"before": then, "after": now}
    speeds = {name: record for name, record in sides.items() if isinstance(record, Speed)}
    intervals = {f"{name}_interval": interval(record.summary) for name, record in speeds.items()}
    return intervals | {f"{name}_warnings": record.warnings for name, record in speeds.items()}


def interval(summary: Summary) -> tuple[float, float]:
    """Return the 95% interval of a median in milliseconds."""
    return summary.median_low_ms, summary.median_high_ms


def _value(record: Figure | None) -> float | None:
    if record is None:
        return None
    return record.summary.median_ms if isinstance(record, Speed) else record.metrics.map


def slowdown(before: Summary, after: Summary, builds: tuple[float, float] = (0.0, 0.0)) -> tuple[float, float]:
    """Return the relative change of a median, and its standard error; builds: how much those of either side differ."""
    ratio = after.median_ms / before.median_ms
    errors = (_relative_error(summary, error) for summary, error in zip((before, after), builds, strict=True))
    return ratio - 1, ratio * math.hypot(*errors)


def _relative_error(summary: Summary, builds: float) -> float:
    """Take a quarter of the 95% interval, relative to the median, for the standard error; that of builds adds to it."""
    width = summary.median_high_ms - summary.median_low_ms
    return math.hypot(width / (2 * paired_difference.SURE * summary.median_ms), builds)


def verdict(worse: float, error: float | None, limit: float, always: float) -> str:
    """Judge how much worse a figure became: beyond its limit and two standard errors, or beyond what always counts.

    error: None where it is unknown, and nothing is sure.
    """
    sure = error is not None and abs(worse) > limit and abs(worse) > paired_difference.SURE * error
    if not sure and abs(worse) <= always:
        return NOISE
    return REGRESSED if worse > 0 else IMPROVED


def changed(before: list[CellResult], after: list[CellResult]) -> list[str]:
    """List the software whose version changed, for the reader: it does not hinder a comparison."""
    old, new = (_versions(rows) for rows in (before, after))
    return [f"{name} {old.get(name)} → {new.get(name)}" for name in sorted(old | new) if old.get(name) != new.get(name)]


def _versions(rows: list[CellResult]) -> dict[str, str]:
    environment = next((record.environment for row in rows for record in row.measured), None)
    return {**environment.versions, "speedmap": environment.short_commit} if environment else {"speedmap": "unknown"}


def failed(changes: list[Change]) -> bool:
    """Return whether anything became worse or is gone."""
    return any(change.verdict in BAD for change in changes)
