"""The page that shows a comparison."""

from collections import Counter
from collections.abc import Collection

from speedmap.publishing.compare import NOISE, ORDER, UNJUDGED, failed
from speedmap.reporting.footnotes import Notes, words
from speedmap.reporting.markdown import table
from speedmap.results.findings import Finding
from speedmap.results.reported import Change, Comparison, Limits
from speedmap.results.timing_findings import Disturbance

HEAD = ("cell", "figure", "verdict", "before", "now", "change")


def render(record: Comparison) -> str:
    """Write a comparison's record as markdown: the verdict, the figures that changed, then the rest."""
    changes = record.changes
    notes = Notes(finding for change in changes for finding in (*change.before_warnings, *change.after_warnings))
    return "\n\n".join(
        part
        for part in (
            f"# {_title(changes)} {record.baseline}",
            counted(changes, ORDER) + ".",
            "Changed with it: " + ", ".join(record.versions) + "." if record.versions else "",
            table(HEAD, [_line(change, notes) for change in changes]),
            _legend(record.limits),
            *notes.lines(),
        )
        if part
    ) + "\n"  # fmt: skip


def counted(changes: list[Change], verdicts: Collection[str]) -> str:
    """Write how many changes have each of some verdicts, of those that there are."""
    counts = Counter(change.verdict for change in changes)
    return ", ".join(f"{counts[verdict]} {verdict}" for verdict in verdicts if counts[verdict])


def _title(changes: list[Change]) -> str:
    if failed(changes):
        return "Worse than"
    unjudged = any(change.verdict == UNJUDGED for change in changes)
    return "No worse, as far as can be judged, than" if unjudged else "No worse than"


def _line(change: Change, notes: Notes) -> list[str]:
    name = change.verdict if change.verdict == NOISE else f"**{change.verdict}**"
    sides = [text + notes.mark(warnings) for _, text, warnings in _sides(change)]
    return [change.cell, change.figure, name, *sides, _change(change)]


def _sides(change: Change) -> list[tuple[str, str, list[Finding]]]:
    """Return of either side its name, its figure in words, `""` for none, and what its run warned of."""
    return [
        ("then", _figure(change.before, change.figure, change.before_interval), change.before_warnings),
        ("now", _figure(change.after, change.figure, change.after_interval), change.after_warnings),
    ]


def reason(change: Change) -> str:
    """Write in one line why a figure has its verdict: both sides, or what disturbed them where it is not judged."""
    sides = _sides(change)
    if change.verdict == UNJUDGED:
        seen = [(finding, side) for side, _, warnings in sides for finding in warnings]
        told = [f"{words(finding)} ({side})" for finding, side in seen if isinstance(finding, Disturbance)]
    else:
        told = [*(f"{text} {side}" for side, text, _ in sides if text), _change(change)]
    return f"{change.figure} {change.verdict}: {', '.join(filter(None, told))}"


def _figure(value: float | None, figure: str, interval: tuple[float, float] | None) -> str:
    if value is None:
        return ""
    if figure == "mAP":
        return f"{100 * value:.2f}"
    return f"{value:.3f} ms" + (f" ({interval[0]:.3f} to {interval[1]:.3f})" if interval else "")


def _change(change: Change) -> str:
    if change.change is None:
        return ""
    unit = "%" if change.figure == "speed" else ""
    error = "unknown" if change.error is None else f"{100 * change.error:.2f}{unit}"
    return f"{100 * change.change:+.2f}{unit} ± {error}"


def _legend(limits: Limits) -> str:
    return (
        f"Speed: the median's relative change, plus is slower. It counts beyond {limits.speed:.1%} and two standard "
        f"errors (±, to which several builds add how much they differ), always beyond {limits.speed_always:.1%}. mAP: "
        f"in points, plus is better. It counts beyond {100 * limits.map:.2f} and two standard errors, paired by image, "
        f"always beyond {100 * limits.map_always:.2f}. In brackets: 95% intervals. Not judged: of a run that was "
        "disturbed or unstable, then or now, follows nothing, neither that it is slower nor that it is not."
    )
