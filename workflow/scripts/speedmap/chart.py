"""Charts as SVG text for a page: colours come from its style sheet, and pointing at a mark tells its figures."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from statistics import median

WIDTH, HEIGHT = 720, 400
LEFT, RIGHT, TOP, BOTTOM = 56, 704, 12, 356  # of the plane, in the units of the view box
COLOURS = 8  # classes c0..c7 of the style sheet
BINS = 60  # of a histogram
NICE = (1, 2, 5, 10)


@dataclass(frozen=True)
class Mark:
    """A point: its place, the text shown on pointing at it, its series, and its errors [low, high] if any."""

    x: float
    y: float
    title: str
    series: str
    x_range: tuple[float, float] | None = None
    y_range: tuple[float, float] | None = None
    hollow: bool = False


@dataclass(frozen=True)
class Scale:
    """Maps values from low..high to start..end, by their logarithms if log."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high, value = (math.log(number) if self.log else number for number in (self.low, self.high, value))
        return round(self.start + (value - low) / (high - low) * (self.end - self.start), 1)

    def ticks(self) -> list[float]:
        """Give round values within the range."""
        if self.log and self.high / self.low > NICE[-1]:
            return self._decades()
        rough = (self.high - self.low) / 5
        power = 10 ** math.floor(math.log10(rough))
        step = power * next(nice for nice in NICE if nice * power >= rough)
        first = math.ceil(self.low / step)
        return [index * step for index in range(first, math.floor(self.high / step) + 1)]

    def _decades(self) -> list[float]:
        powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)))
        found = [nice * 10.0**power for power in powers for nice in NICE[:3]]
        return [value for value in found if self.low <= value <= self.high]


def around(values: Iterable[float], start: float, end: float, log: bool = False) -> Scale:
    """Fit a scale to values, with a margin."""
    low, high = min(values := list(values)), max(values)
    if log:
        return Scale(low / 1.15, high * 1.15, start, end, True)
    margin = (high - low) * 0.08 or abs(high) * 0.1 or 1.0
    return Scale(low - margin, high + margin, start, end)


def scatter(marks: list[Mark], x: str, y: str, log_x: bool = False, arrows: list[tuple[Mark, Mark]] = ()) -> str:
    """Draw marks in a plane with axes named x and y, a colour a series, arrows between pairs of marks."""
    if not marks:
        return ""
    across = around((value for mark in marks for value in (mark.x, *(mark.x_range or ()))), LEFT, RIGHT, log_x)
    up = around((value for mark in marks for value in (mark.y, *(mark.y_range or ()))), BOTTOM, TOP)
    names = list(dict.fromkeys(mark.series for mark in marks))
    parts = [_axes(across, up, x, y)]
    parts += [_arrow(across, up, *pair) for pair in arrows]
    parts += [_mark(across, up, mark, names.index(mark.series) % COLOURS) for mark in marks]
    return _svg(parts, x + " and " + y) + legend(names)


def legend(names: list[str]) -> str:
    """List the series with their colours."""
    entries = (f'<span class="c{index % COLOURS}">● {escape(name)}</span>' for index, name in enumerate(names))
    return f'<p class="legend">{" ".join(entries)}</p>'


def _svg(parts: list[str], label: str, height: int = HEIGHT) -> str:
    box = f'viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(label)}"'
    return f'<div class="chart"><svg {box}>{"".join(parts)}</svg></div>'


def _axes(across: Scale, up: Scale, x: str, y: str) -> str:
    lines = [f'<path class="grid" d="M{across(value)} {TOP}V{BOTTOM}"/>' for value in across.ticks()]
    lines += [f'<path class="grid" d="M{LEFT} {up(value)}H{RIGHT}"/>' for value in up.ticks()]
    lines += [
        f'<text x="{across(value)}" y="{BOTTOM + 16}" class="middle">{value:g}</text>' for value in across.ticks()
    ]
    lines += [f'<text x="{LEFT - 6}" y="{up(value) + 4}" class="end">{value:g}</text>' for value in up.ticks()]
    middle = (TOP + BOTTOM) / 2
    lines.append(f'<text x="{(LEFT + RIGHT) / 2}" y="{HEIGHT - 8}" class="middle">{escape(x)}</text>')
    lines.append(f'<text transform="translate(14 {middle}) rotate(-90)" class="middle">{escape(y)}</text>')
    return "".join(lines)


def _mark(across: Scale, up: Scale, mark: Mark, colour: int) -> str:
    x, y, bars = across(mark.x), up(mark.y), ""
    if mark.x_range:
        bars += f'<path d="M{across(mark.x_range[0])} {y}H{across(mark.x_range[1])}"/>'
    if mark.y_range:
        bars += f'<path d="M{x} {up(mark.y_range[0])}V{up(mark.y_range[1])}"/>'
    inside = ' fill-opacity="0"' if mark.hollow else ""
    shape = f'<circle cx="{x}" cy="{y}" r="5"{inside}/>'
    return f'<g class="mark c{colour}" tabindex="0"><title>{escape(mark.title)}</title>{bars}{shape}</g>'


def _arrow(across: Scale, up: Scale, start: Mark, end: Mark) -> str:
    """Draw a line that is thinner where it ends, which needs no arrow head."""
    x, y = across(start.x), up(start.y)
    return f'<path class="arrow" d="M{x} {y - 2:.1f}L{across(end.x)} {up(end.y)}L{x} {y + 2:.1f}z"/>'


def histogram(values: list[float], title: str, low: float, high: float) -> str:
    """Draw the distribution of values in one line, those beyond low or high at its ends, with a mark at the median."""
    counts = [0] * BINS
    for value in values:
        counts[min(max(int((value - low) / (high - low) * BINS), 0), BINS - 1)] += 1
    bars = [_bar(index, count / max(counts)) for index, count in enumerate(counts) if count]
    middle = median(values)
    x = Scale(low, high, LEFT, RIGHT)(middle)
    line = f'<path class="median" d="M{x} 2V46"/><text x="{x}" y="58" class="middle">{middle:.2f}</text>'
    ends = f'<text x="{LEFT}" y="58">{low:.2f}</text><text x="{RIGHT}" y="58" class="end">{high:.2f}</text>'
    return _svg(['<g class="c0 bars">', *bars, "</g>", line, ends], title, 62)


def _bar(index: int, share: float) -> str:
    width, height = (RIGHT - LEFT) / BINS, 40 * share
    place = f'x="{LEFT + index * width:.1f}" y="{44 - height:.1f}"'
    return f'<rect {place} width="{width - 0.5:.1f}" height="{height:.1f}"/>'
