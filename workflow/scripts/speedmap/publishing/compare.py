"""Hold today's records against a baseline's: what became slower, faster, better, worse, and what is gone or new."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from speedmap.accuracy import paired_difference
from speedmap.errors import UserError
from speedmap.publishing.folders import device
from speedmap.results.cell_result import CellResult

REGRESSED, IMPROVED, NOISE, MISSING, NEW = "regressed", "improved", "within noise", "missing", "new"
ORDER = (REGRESSED, MISSING, IMPROVED, NEW, NOISE)
BAD = {REGRESSED, MISSING}
REMEDY = "give `baseline` a folder of a run taken alike, or publish this one"


class CompareError(UserError):
    """Runs that cannot be compared; the message names what differs and the remedy."""


@dataclass(frozen=True)
class Change:
    """What became of one figure: `speed` of a cell in milliseconds, or its `mAP` in fractions of 1.

    change: relative for speed, absolute for mAP; error: its standard error. None where a side is missing, the
    error also where it is unknown.
    """

    cell: str
    figure: str
    verdict: str
    before: float | None = None
    after: float | None = None
    change: float | None = None
    error: float | None = None


@dataclass(frozen=True)
class Limits:
    """From where a change counts: if it is also surer than noise, or, from the `_always` on, in any case.

    speed: relative to the median. map: absolute, fractions of 1.
    """

    speed: float
    speed_always: float
    map: float
    map_always: float


MUST_MATCH: dict[str, Callable[[dict], object]] = {
    "device": lambda record: device(record["environment"]["platform"]),
    "processor": lambda record: record["environment"]["cpu"],
    "driver": lambda record: record["environment"]["platform"].get("driver") or _setting(record).get("driver"),
    "protocol": lambda record: record["protocol"],
    "input size": lambda record: record.get("imgsz"),
    "data set": lambda record: record["dataset"]["sha256"],
}


def _setting(record: dict) -> dict:
    return record.get("watch", {}).get("setting", {})


def compare(before: list[CellResult], after: list[CellResult], limits: Limits) -> list[Change]:
    """Judge every figure of either side, the bad news first; CompareError when the sides are unlike."""
    old, new = ({row.cell: row for row in rows} for rows in (before, after))
    refuse_unlike(old, new)
    cells = list(dict.fromkeys((*new, *old)))
    changes = [
        judge(cell_name(old.get(cell) or new[cell]), *_pair(old, new, cell, figure), figure, limits)
        for cell in cells
        for figure in ("speed", "mAP")
        if any(_pair(old, new, cell, figure))
    ]
    return sorted(changes, key=lambda change: ORDER.index(change.verdict))


def cell_name(row: CellResult) -> str:
    """Name a cell with its backend."""
    return f"{row.cell.backend}/{row.cell.name}"


def _pair(old: dict, new: dict, cell: object, figure: str) -> tuple[dict | None, dict | None]:
    return tuple(_record(side.get(cell), figure) for side in (old, new))


def _record(row: CellResult | None, figure: str) -> dict | None:
    """Give the record behind a figure; an invalid cell has none. To a speed is added how much builds differ."""
    if row is None or row.invalid:
        return None
    if figure == "speed" and row.speed:
        return {**row.speed, "build_error": row.build_error}
    return row.speed if figure == "speed" else row.accuracy


def refuse_unlike(old: dict, new: dict) -> None:
    """Raise CompareError where records of one cell were not taken alike."""
    for cell in old.keys() & new.keys():
        for figure in ("speed", "mAP"):
            before, after = _pair(old, new, cell, figure)
            if before and after and (found := unlike(before, after)):
                raise CompareError(f"{cell.backend}/{cell.name}: {'; '.join(found)}; {REMEDY}")


def unlike(before: dict, after: dict) -> list[str]:
    """Name in which of the things that must match two records differ, and how."""
    sides = {name: (fact(before), fact(after)) for name, fact in MUST_MATCH.items()}
    return [f"another {name} ({old} then, {new} now)" for name, (old, new) in sides.items() if old != new]


def judge(cell: str, before: dict | None, after: dict | None, figure: str, limits: Limits) -> Change:
    """Say what became of one figure of one cell."""
    if before is None or after is None:
        return Change(cell, figure, MISSING if after is None else NEW, _value(before, figure), _value(after, figure))
    if figure == "speed":
        change, error = slowdown(before, after)
        found = verdict(change, error, limits.speed, limits.speed_always)
    else:
        difference = paired_difference.between(after, before)
        change, error = (difference.value, difference.error) if difference else (_gain(before, after), None)
        found = verdict(-change, error, limits.map, limits.map_always)
    return Change(cell, figure, found, _value(before, figure), _value(after, figure), change, error)


def _value(record: dict | None, figure: str) -> float | None:
    if record is None:
        return None
    return record["summary"]["median_ms"] if figure == "speed" else record["metrics"]["map"]


def _gain(before: dict, after: dict) -> float:
    return after["metrics"]["map"] - before["metrics"]["map"]


def slowdown(before: dict, after: dict) -> tuple[float, float]:
    """Give the relative change of the median between two speed records, and its standard error."""
    ratio = after["summary"]["median_ms"] / before["summary"]["median_ms"]
    return ratio - 1, ratio * math.hypot(_relative_error(before), _relative_error(after))


def _relative_error(record: dict) -> float:
    """Take a quarter of the 95% interval, relative to the median, for the standard error; that of builds adds to it."""
    summary = record["summary"]
    width = summary["median_high_ms"] - summary["median_low_ms"]
    return math.hypot(width / (2 * paired_difference.SURE * summary["median_ms"]), record["build_error"])


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
    environment = next((record["environment"] for row in rows for record in (row.speed, row.accuracy) if record), {})
    return {**environment.get("versions", {}), "speedmap": environment.get("commit", "unknown")[:12]}


def failed(changes: list[dict]) -> bool:
    """Say whether anything became worse or is gone."""
    return any(change["verdict"] in BAD for change in changes)
