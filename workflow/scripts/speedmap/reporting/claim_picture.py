"""A claim as a picture that can be shown alone: its figures with their intervals, and its doubt, in words."""

import textwrap
from base64 import b64encode

import altair as alt

from speedmap.reporting.charts import of, svg
from speedmap.reporting.claims import Claim
from speedmap.reporting.palette import DARK, GREY, LIGHT, look

WIDTH, ROW = 560, 38  # pixels
ABOVE, BELOW = 9, 8  # pixels from the middle of a row, of its words and of its figure
INSET = 84  # pixels beside the figures, for names that the line of no gain shall not cross
LINE = 94  # characters of the lines below the title


def addresses(claim: Claim) -> dict[str, str]:
    """Draw a claim for a light page and a dark one; returns what the addresses of both pictures may be."""
    chart = drawn(claim)
    texts = {name: svg(chart, look(page)) for name, page in (("light", LIGHT), ("dark", DARK))}
    return {name: f"data:image/svg+xml;base64,{b64encode(text.encode()).decode()}" for name, text in texts.items()}


def drawn(claim: Claim) -> alt.LayerChart:
    """Draw each figure as a point in its 95% interval, below its name and text; hollow where it is doubted."""
    values = [
        {"row": row, "name": one.name, "text": one.text, "value": one.value, "low": one.low, "high": one.high,
         "filled": 0 if one.doubt else 1}
        for row, one in enumerate(claim.told)
    ]  # fmt: skip
    x = alt.X("value:Q", title=claim.unit, axis=alt.Axis(grid=False, tickCount=6))
    x, y = x.scale(zero=False, nice=False, padding=INSET), alt.Y("row:O", axis=None)
    figures, words = of(values), {"baseline": "middle", "yOffset": -ABOVE}
    even = (
        [] if claim.even is None else [of([{"value": claim.even}]).mark_rule(strokeDash=[4, 3], color=GREY).encode(x)]
    )
    intervals = figures.mark_rule(strokeWidth=3, yOffset=BELOW).encode(x="low:Q", x2="high:Q", y=y)
    points = figures.mark_point(size=70, strokeWidth=2, opacity=1, yOffset=BELOW).encode(
        x, y, fillOpacity=alt.FillOpacity("filled:Q", scale=None)
    )
    names = figures.mark_text(align="left", fontWeight="bold", **words).encode(y=y, x=alt.value(0), text="name:N")
    texts = figures.mark_text(align="right", **words).encode(y=y, x=alt.value(WIDTH), text="text:N")
    title = alt.TitleParams(claim.subject, subtitle=[*_wrapped(f"{claim.where}. {claim.known}"), *_doubts(claim)])
    return alt.layer(*even, intervals, points, names, texts).properties(
        width=WIDTH, height=ROW * len(values), title=title, description=str(claim)
    )


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, LINE)


def _doubts(claim: Claim) -> list[str]:
    """Write each doubt once, with the names that it is of where these are not all."""
    if claim.shared_doubt:
        return _wrapped(f"Doubt: {claim.shared_doubt}.")
    doubts = dict.fromkeys(one.doubt for one in claim.told if one.doubt)
    named = {doubt: ", ".join(one.name for one in claim.told if one.doubt == doubt) for doubt in doubts}
    return [line for doubt, names in named.items() for line in _wrapped(f"Doubt of {names} (hollow): {doubt}.")]
