"""Tables in markdown, and markdown as HTML."""

import re
from collections.abc import Iterable, Mapping, Sequence

from markdown_it import MarkdownIt
from tabulate import tabulate

USED = ("heading", "table", "list", "emphasis", "backticks", "escape")  # no links, no images, no HTML
ALLOWED = re.compile(r"&lt;(/?(?:sup|br))&gt;")  # the tags that our tables use


def table(head: Sequence[str], lines: Iterable[Sequence], align: Sequence[str] | None = None) -> str:
    """Write a table; `|` in a text would end its column, so that it is escaped."""
    rows = [[str(value).replace("|", "\\|") for value in line] for line in (head, *lines)]
    return tabulate(rows[1:], rows[0], tablefmt="github", disable_numparse=True, colalign=align)


def columns(given: Mapping[str, Sequence]) -> str:
    """Write a table by its columns, each below its head."""
    return table(list(given), zip(*given.values(), strict=True))


def html(text: str) -> str:
    """Turn markdown of our own into HTML; whatever else stands in it is escaped."""
    drawn = ALLOWED.sub(r"<\1>", MarkdownIt("zero").enable(USED).render(text))
    return drawn.replace(
        "<table>", '<div class="scroll" tabindex="0" role="region" aria-label="Table"><table>'
    ).replace("</table>", "</table></div>")
