"""Tables in markdown."""

from collections.abc import Iterable, Sequence


def table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Write a table; `|` in a text would end its column, so that it is escaped."""
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join("|" + "|".join(str(text).replace("|", "\\|") for text in row) + "|" for row in rows)
