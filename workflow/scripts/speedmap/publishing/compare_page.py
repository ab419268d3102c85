"""The page that shows a comparison."""

from collections import Counter

from speedmap.publishing.compare import NOISE, ORDER, failed
from speedmap.reporting.markdown import table
from speedmap.results.reported import Change, Comparison, Limits

HEAD = ("cell", "figure", "verdict", "before", "now", "change")


def render(record: Comparison) -> str:
    """Write a comparison's record as markdown: the verdict, the figures that changed, then the rest."""
    changes = record.changes
    counts = Counter(change.verdict for change in changes)
    return "\n\n".join(
        part
        for part in (
            f"# {'Worse' if failed(changes) else 'No worse'} than {record.baseline}",
            ", ".join(f"{counts[verdict]} {verdict}" for verdict in ORDER if counts[verdict]) + ".",
            "Changed with it: " + ", ".join(record.versions) + "." if record.versions else "",
            table(HEAD, [_line(change) for change in changes]),
            _legend(record.limits),
        )
        if part
    ) + "\n"  # fmt: skip


def _line(change: Change) -> list[str]:
    name = change.verdict if change.verdict == NOISE else f"**{change.verdict}**"
    figures = [_figure(value, change.figure) for value in (change.before, change.after)]
    return [change.cell, change.figure, name, *figures, _change(change)]


def _figure(value: float | None, figure: str) -> str:
    if value is None:
        return ""
    return f"{value:.3f} ms" if figure == "speed" else f"{100 * value:.2f}"


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
        f"always beyond {100 * limits.map_always:.2f}."
    )
