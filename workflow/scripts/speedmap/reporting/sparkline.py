"""A cell's speeds over time as a small line that stands in a table."""

from markupsafe import Markup

from speedmap.results.reported import Measured

WIDTH, HEIGHT, EDGE = 96, 24, 3  # pixels
LEAST = 0.02  # of the median, that fills the height at least: noise shall not look like a change


def drawn(past: list[Measured]) -> Markup:
    """Draw a cell's lines of the history, the oldest first, with the last as a dot; nothing where there is none."""
    values = [line.value for line in past]
    if not values:
        return Markup("")
    places = _places(values)
    told = f"{len(values)} measured, {min(values):.3g} to {max(values):.3g} ms, the last {values[-1]:.3g} ms"
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    last_x, last_y = places[-1]
    return Markup(
        '<svg class="spark" role="img" width="{0}" height="{1}" viewBox="0 0 {0} {1}" aria-label="{2}">'
        '<title>{2}</title><polyline points="{3}"/><circle cx="{4:.1f}" cy="{5:.1f}" r="2.5"/></svg>'
    ).format(WIDTH, HEIGHT, told, line, last_x, last_y)


def _places(values: list[float]) -> list[tuple[float, float]]:
    """Return where each value lies; slower is higher up."""
    middle = (min(values) + max(values)) / 2
    span = max(max(values) - min(values), LEAST * middle)
    across = (WIDTH - 2 * EDGE) / max(len(values) - 1, 1)
    return [
        (EDGE + across * place, HEIGHT / 2 - (value - middle) / span * (HEIGHT - 2 * EDGE))
        for place, value in enumerate(values)
    ]
