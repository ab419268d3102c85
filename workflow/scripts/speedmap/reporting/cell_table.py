"""The report's table: a line a cell, with its history and what became of it since the baseline."""

from dataclasses import dataclass

from markupsafe import Markup

from speedmap.accuracy import paired_difference
from speedmap.reporting import footnotes, sparkline
from speedmap.reporting.verdicts import scored
from speedmap.results.cell_result import CellResult
from speedmap.results.reported import Change, Measured


@dataclass(frozen=True)
class Line:
    """A cell as the report shows it, in words; `""` where something is not known.

    power: in watts while it was timed, at least and at most. memory: of the engine's file and for activations. doubts:
    of its speed and mAP. judged: its change since the baseline, with a kind for the eye.
    """

    title: str
    ran: str
    ms: str
    interval: str
    per_second: str
    end_to_end: str
    end_per_second: str
    score: str
    cost: str
    power: str
    memory: str
    doubts: str
    judged: list[tuple[str, str]]
    history: Markup


def lines(rows: list[CellResult], changes: list[Change], past: list[Measured]) -> list[Line]:
    """Write every cell. changes: against a baseline, [] without one. past: lines of the history, the oldest first."""
    return [_line(row, [one for one in changes if one.cell == row.title], past) for row in rows]


def _line(row: CellResult, changes: list[Change], past: list[Measured]) -> Line:
    doubts = "; ".join(footnotes.words(finding) for finding in row.invalid or [*row.failed, *row.warnings])
    speed = row.speed if not row.invalid else None
    accuracy = row.accuracy if not row.invalid else None
    whole = speed and speed.phases.end_to_end
    return Line(
        title=row.title,
        ran=row.precision.upper(),
        ms=_digits(speed and speed.summary.median_ms),
        interval=f"{speed.summary.median_low_ms:.4g} to {speed.summary.median_high_ms:.4g}" if speed else "",
        per_second=_rate(speed and speed.summary.median_ms, row.cell.batch),
        end_to_end=_digits(whole),
        end_per_second=_rate(whole, row.cell.batch),
        score=scored(row) if accuracy else "",
        cost=_cost(row) if accuracy else "",
        power=_power(row) if speed else "",
        memory=_memory(row) if speed else "",
        doubts=("invalid: " if row.invalid else "") + doubts,
        judged=[(_sign(change.verdict), _judged(change)) for change in changes],
        history=sparkline.drawn(of_cell(row, past)),
    )


def of_cell(row: CellResult, past: list[Measured]) -> list[Measured]:
    """Take a cell's valid speeds on its own platform from the history."""
    platform = row.speed.environment.platform if row.speed else None
    return [line for line in past if (line.cell, line.figure, line.valid, line.platform)
            == (row.title, "speed", True, platform)]  # fmt: skip


def _digits(ms: float | None) -> str:
    """Write milliseconds to three digits or to microseconds."""
    return f"{ms:.{3 if ms < 1 else 2 if ms < 10 else 1}f}" if ms else ""


def _rate(ms: float | None, batch: int) -> str:
    """Write the images a second."""
    return f"{1000 * batch / ms:.{1 if ms > 10 * batch else 0}f}" if ms else ""


def _cost(row: CellResult) -> str:
    """Write the difference to torch's mAP, else to the float engine's."""
    differences = {name: paired_difference.between(row.accuracy, other) for name, other in row.references.items()}
    return next((f"{one} ({name})" for name, one in differences.items() if one), "")


def _power(row: CellResult) -> str:
    span = row.speed.watch.ranges.get("power_w")
    return f"{span[0]:.0f} to {span[1]:.0f}" if span else ""


def _memory(row: CellResult) -> str:
    activations = row.speed.session.activations_mib
    parts = [f"{row.engine.bytes / 1e6:.1f} MB"] if row.engine else []
    return " + ".join(parts + ([f"{activations:.1f} MiB"] if activations else []))


def _sign(verdict: str) -> str:
    return {"regressed": "bad", "missing": "bad", "improved": "good"}.get(verdict, "plain")


def _judged(change: Change) -> str:
    if change.change is None:
        return f"{change.figure} {change.verdict}"
    amount = f"{change.change:+.1%}" if change.figure == "speed" else f"{100 * change.change:+.2f}"
    unit = "ms" if change.figure == "speed" else "mAP"
    return f"{unit} {amount}, {change.verdict}"
