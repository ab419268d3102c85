"""Colours of charts and of the report's page: each series has its own, and all stand out from both pages."""

from itertools import cycle
from typing import NamedTuple

PAPER = {"background": "white", "view": {"stroke": None}, "axis": {"gridColor": "#ddd"}, "rule": {"color": "#666"},
         "point": {"color": "#666"}}  # fmt: skip


class Page(NamedTuple):
    """The colours of the report's page, on which texts stand out by 4.5:1."""

    text: str
    faint: str
    line: str
    back: str
    panel: str
    link: str
    good: str
    bad: str


LIGHT = Page(text="#1c2430", faint="#556070", line="#d5dae1", back="#ffffff", panel="#f5f7f9", link="#2461c1",
             good="#156c34", bad="#b3261e")  # fmt: skip
DARK = Page(text="#e4e8ee", faint="#a3adbb", line="#38414d", back="#12161c", panel="#1b2129", link="#7aa9ff",
            good="#7bd88f", bad="#ff9a90")  # fmt: skip
# Of one lightness, so that each stands out by 3:1 from white and from the report's dark page.
SERIES = {
    "Torch FP32": "#7e6ef2", "Torch FP16": "#d14ba0", "Torch BF16": "#b05ad3",
    "TensorRT FP32": "#1d84f5", "TensorRT BF16": "#1d9999", "TensorRT FP16": "#03a14a", "TensorRT INT8": "#d55c13",
    "OpenVINO FP32": "#2692ba", "OpenVINO BF16": "#269b7e", "OpenVINO FP16": "#7c9128", "OpenVINO INT8": "#b37903",
}  # fmt: skip
SPARE = ("#e14754", "#868686")  # before those of series that are not shown
STAYS = {"INT8": "#1d84f5", "stays in float": "#d55c13"}
GREY = "#868686"  # stands out by 3:1 from both pages
FAINT = 0.3  # opacity of what cannot be quoted


def look(page: Page) -> dict:
    """Return the look of a picture that stands alone, in a page's colours."""
    faint, line, mark = page.faint, page.line, page.link
    return {
        "background": page.back, "padding": 14, "view": {"stroke": None},
        "axis": {"labelColor": faint, "titleColor": faint, "gridColor": line, "domainColor": line, "tickColor": line},
        "title": {"color": page.text, "fontSize": 15, "anchor": "start", "offset": 14, "subtitleColor": faint,
                  "subtitlePadding": 6},
        "text": {"color": page.text, "fontSize": 12}, "rule": {"color": mark},
        "point": {"stroke": mark, "fill": mark},
    }  # fmt: skip


def colours(names: set[str]) -> dict[str, str]:
    """Assign each series its colour: its own where it has one, the same in every chart, else a spare one."""
    taken = {SERIES.get(name) for name in names}
    spare = cycle([*SPARE, *(known for known in SERIES.values() if known not in taken)])
    return {name: SERIES.get(name) or next(spare) for name in sorted(names)}
