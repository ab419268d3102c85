"""The page of tables as a terminal shows it: what markdown and HTML say by signs is said by characters."""

import re
import textwrap

from tabulate import tabulate

DETAILS = "\n## Details\n"  # from where on tables are too wide for a terminal
RAISED = str.maketrans("0123456789,", "⁰¹²³⁴⁵⁶⁷⁸⁹·")
RULER = re.compile(r"[-:|\s]+")
LISTED = re.compile(r"\d+\. |\* ")


def page(markdown: str, width: int) -> str:
    """Write the page without its details for a terminal of so many columns; tables that are wider go in parts."""
    blocks = markdown.partition(DETAILS)[0].strip().split("\n\n")
    return "\n\n".join(_block(block, width) for block in blocks) + "\n"


def _block(block: str, width: int) -> str:
    if block.startswith("|"):
        return _table(block.splitlines(), width)
    if block.startswith("#"):
        title = _text(block.lstrip("# "))
        return f"{title}\n{'=' * len(title)}"
    return "\n".join(_wrapped(line, width) for line in block.splitlines())


def _table(lines: list[str], width: int) -> str:
    rows = [list(map(_text, line.strip().strip("|").replace("\\|", "\0").split("|"))) for line in lines
            if not RULER.fullmatch(line)]  # fmt: skip
    return "\n\n".join(_drawn(rows, columns) for columns in _parts(rows, width))


def _drawn(rows: list[list[str]], columns: list[int]) -> str:
    head, *lines = [[row[column] for column in columns] for row in rows]
    return tabulate(lines, head, tablefmt="simple", disable_numparse=True, stralign="left")


def _parts(rows: list[list[str]], width: int) -> list[list[int]]:
    """Share the columns out among tables that fit, each with the first column, which names the rows."""
    parts = [[0]]
    for column in range(1, len(rows[0])):
        drawn = _drawn(rows, [*parts[-1], column])
        if len(parts[-1]) > 1 and max(map(len, drawn.splitlines())) > width:
            parts.append([0])
        parts[-1].append(column)
    return parts


def _wrapped(line: str, width: int) -> str:
    """Break a line at words; the further lines of a list's entry begin under its first word."""
    text = _text(line)
    mark = LISTED.match(text)
    return textwrap.fill(text, width, subsequent_indent=" " * len(mark[0]) if mark else "", break_on_hyphens=False)


def _text(text: str) -> str:
    """Take markdown and HTML out of a text: a title's second line, raised numbers, emphasis, escapes."""
    text = text.replace("<br><sup>", "\n")
    text = re.sub(r"<sup>([\d,]+)</sup>", lambda match: match[1].translate(RAISED), text)
    return re.sub(r"\\([*|_<>])", r"\1", text.replace("**", "").replace("\0", "|")).strip()
