"""Markdown of our own tables as HTML."""

import re
from html import escape

ALLOWED = re.compile(r"&lt;(/?(?:sup|br))&gt;")  # the tags that our tables use


def html(markdown: str) -> str:
    """Turn headings, tables, numbered lists and paragraphs into HTML; whatever else stands in them is escaped."""
    return "\n".join(_block(block) for block in re.split(r"\n\s*\n", markdown.strip()))


def _block(text: str) -> str:
    lines = text.strip().splitlines()
    if lines[0].startswith("#"):
        level = len(lines[0]) - len(lines[0].lstrip("#"))
        return f"<h{level}>{_inline(lines[0].lstrip('# '))}</h{level}>"
    if lines[0].startswith("|"):
        return _table(lines)
    if all(re.match(r"\d+\. ", line) for line in lines):
        return "<ol>" + "".join(f"<li>{_inline(line.split('. ', 1)[1])}</li>" for line in lines) + "</ol>"
    return f"<p>{_inline(' '.join(lines))}</p>"


def _table(lines: list[str]) -> str:
    head, _, *body = ([cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines)
    top = "".join(f"<th>{_inline(cell)}</th>" for cell in head)
    rows = "".join("<tr>" + "".join(f"<td>{_inline(cell)}</td>" for cell in line) + "</tr>" for line in body)
    return f'<div class="scroll"><table><thead><tr>{top}</tr></thead><tbody>{rows}</tbody></table></div>'


def _inline(text: str) -> str:
    text = ALLOWED.sub(r"<\1>", escape(text.replace("\\*", "*"), quote=False))
    return re.sub(r"`(.+?)`", r"<code>\1</code>", re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", text))
