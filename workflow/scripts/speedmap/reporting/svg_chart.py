"""Charts as SVG text for a page: colours come from its style sheet, and pointing at a mark tells its figures."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 720, 420
LEFT, RIGHT, TOP, BOTTOM = 72, 706, 12, 366  # of the plane, in the units of the view box
TIP = 340, 150  # room for the text that is shown on pointing at a mark
SHORT = 9  # how far before a mark an arrow ends
COLOURS = 8  # classes c0..c7 of the style sheet
NICE = (1, 2, 5, 10)
NICE_LOG = (1, 2, 3, 5)


@dataclass(frozen=True)
class Mark:
    """A point: its place, the text shown on pointing at it, its series, its errors [low, high] and label if any."""

    x: float
    y: float
    title: str
    series: str
    x_range: tuple[float, float] | None = None
    y_range: tuple[float, float] | None = None
    hollow: bool = False
    label: str = ""


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
        if self.log and self.high / self.low > NICE[-1] / 2:
            return self._decades()
        rough = (self.high - self.low) / 5
        power = 10 ** math.floor(math.log10(rough))
        step = power * next(nice for nice in NICE if nice * power >= rough)
        first = math.ceil(self.low / step)
        return [index * step for index in range(first, math.floor(self.high / step) + 1)]

    def _decades(self) -> list[float]:
        powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)))
        found = [nice * 10.0**power for power in powers for nice in NICE_LOG]
        return [value for value in found if self.low <= value <= self.high]


def around(values: Iterable[float], start: float, end: float, log: bool = False) -> Scale:
    """Fit a scale to values, with a margin."""
    low, high = min(values := list(values)), max(values)
    if log:
        return Scale(low / 1.15, high * 1.15, start, end, True)
    margin = (high - low) * 0.08 or abs(high) * 0.1 or 1.0
    return Scale(low - margin, high + margin, start, end)


def scatter(
    marks: list[Mark], x: str, y: str, names: list[str], log_x: bool = False, arrows: list[tuple[Mark, Mark]] = ()
) -> str:
    """Draw marks in a plane with axes named x and y, arrows between pairs of marks.

    names: all series of the page in the order of their colours.
    """
    if not marks:
        return ""
    across = around((value for mark in marks for value in (mark.x, *(mark.x_range or ()))), LEFT, RIGHT, log_x)
    up = around((value for mark in marks for value in (mark.y, *(mark.y_range or ()))), BOTTOM, TOP)
    parts = [_grid(across, True), _grid(up, False), _titles(x, y)]
    parts += [_arrow(across, up, *pair) for pair in arrows]
    parts += [_mark(across, up, mark, _colour(names, mark.series)) for mark in marks]
    parts += [_hit(f'<circle cx="{across(mark.x)}" cy="{up(mark.y)}" r="11"/>', across(mark.x), up(mark.y), mark.title)
              for mark in marks]  # fmt: skip
    return svg(parts, f"{x} and {y}") + legend(names, {mark.series for mark in marks})


def columns(bars: list[tuple[float, str, str]], x: str, y: str) -> str:
    """Draw (value, series, text) as columns from zero, in their order; axes are named x and y."""
    names = sorted({series for _, series, _ in bars})
    up, width = Scale(0, max(value for value, *_ in bars) * 1.05 or 1.0, BOTTOM, TOP), (RIGHT - LEFT) / len(bars)
    parts = [_grid(up, False), _titles(x, y)]
    for index, (value, series, text) in enumerate(bars):
        left, top = round(LEFT + index * width, 1), up(value)
        place = f'x="{left}" width="{max(width - 1, 1):.1f}"'
        column = f'<rect {place} y="{top}" height="{BOTTOM - top:.1f}" class="bar {_colour(names, series)}"/>'
        parts.append(column + _hit(f'<rect {place} y="{TOP}" height="{BOTTOM - TOP}"/>', left, top, text))
    return svg(parts, f"{x} and {y}") + legend(names, set(names))


def _colour(names: list[str], name: str) -> str:
    return f"c{names.index(name) % COLOURS}"


def legend(names: list[str], shown: set[str]) -> str:
    """List the series that are shown, with their colours."""
    colours = {name: _colour(names, name) for name in names if name in shown}
    entries = (f'<span><i class="{colour}">●</i> {escape(name)}</span>' for name, colour in colours.items())
    return f'<p class="legend">{" ".join(entries)}</p>'


def svg(parts: list[str], label: str, width: int = WIDTH, height: int = HEIGHT) -> str:
    """Put a drawing together."""
    box = f'viewBox="0 0 {width} {height}" role="group" aria-label="{escape(label)}"'
    return f'<div class="chart"><svg {box}>{"".join(parts)}</svg></div>'


def _grid(scale: Scale, across: bool) -> str:
    """Draw the lines of an axis at its ticks, with their values."""
    parts = []
    for value in scale.ticks():
        place, text = scale(value), f"{value:g}"
        line = f"M{place} {TOP}V{BOTTOM}" if across else f"M{LEFT} {place}H{RIGHT}"
        name = (
            f'x="{place}" y="{BOTTOM + 8}" class="tick under"' if across else f'x="{LEFT - 8}" y="{place}" class="tick"'
        )
        parts.append(f'<path class="grid" d="{line}"/><text {name}>{text}</text>')
    return "".join(parts)


def _titles(x: str, y: str) -> str:
    along = f'<text x="{(LEFT + RIGHT) / 2}" y="{HEIGHT - 8}" class="middle">{escape(x)}</text>'
    turned = f'transform="translate(18 {(TOP + BOTTOM) / 2}) rotate(-90)"'
    return f'{along}<text {turned} class="middle">{escape(y)}</text>'


def _mark(across: Scale, up: Scale, mark: Mark, colour: str) -> str:
    x, y, parts = across(mark.x), up(mark.y), ""
    if mark.x_range:
        parts += f'<path d="M{across(mark.x_range[0])} {y}H{across(mark.x_range[1])}"/>'
    if mark.y_range:
        parts += f'<path d="M{x} {up(mark.y_range[0])}V{up(mark.y_range[1])}"/>'
    inside = ' class="hollow"' if mark.hollow else ""
    parts += f'<circle cx="{x}" cy="{y}" r="5"{inside}/>'
    if mark.label:
        top = up(mark.y_range[1]) if mark.y_range else y - 3
        parts += f'<text x="{x}" y="{top - 6}" class="label middle">{escape(mark.label)}</text>'
    return f'<g class="mark {colour}">{parts}</g>'


def _hit(area: str, x: float, y: float, title: str) -> str:
    """Draw an invisible area that shows a text beside x, y on being pointed at; within the chart in any case."""
    width, height = TIP
    left, above = x > WIDTH / 2, y > HEIGHT / 2
    place = f'x="{x - width - 8 if left else x + 8:.1f}" y="{y - height - 8 if above else y + 8:.1f}"'
    side = f"{'left' if left else 'right'} {'above' if above else 'below'}"
    lines = "<br/>".join(map(escape, title.split("\n")))
    shown = (
        f'<foreignObject class="tip" {place} width="{width}" height="{height}"><div class="{side}"><p>{lines}</p></div>'
    )
    return f'<g class="hit" tabindex="0" aria-label="{escape(title)}">{area}{shown}</foreignObject></g>'


def _arrow(across: Scale, up: Scale, start: Mark, end: Mark) -> str:
    """Draw an arrow that begins and ends short of its marks; none where they all but touch."""
    x, y, dx, dy = across(start.x), up(start.y), across(end.x) - across(start.x), up(end.y) - up(start.y)
    length = math.hypot(dx, dy)
    if length < 4 * SHORT:
        return ""
    dx, dy = dx / length, dy / length
    tip_x, tip_y = x + dx * (length - SHORT), y + dy * (length - SHORT)
    wings = [f"L{tip_x - 7 * dx + 3 * side * dy:.1f} {tip_y - 7 * dy - 3 * side * dx:.1f}" for side in (1, -1)]
    shaft = f"M{x + SHORT * dx:.1f} {y + SHORT * dy:.1f}L{tip_x:.1f} {tip_y:.1f}"
    return f'<path class="arrow" d="{shaft}M{tip_x:.1f} {tip_y:.1f}{"".join(wings)}z"/>'
