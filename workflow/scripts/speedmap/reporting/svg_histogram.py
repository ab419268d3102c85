"""The distribution of a run's latencies as a small chart."""

from statistics import median

from speedmap.reporting.svg_chart import Scale, svg

WIDTH, HEIGHT, BASE, TALL = 440, 70, 46, 40  # of the drawing, and of the bars in it
BINS = 60
CROWDED = 0.22 * WIDTH  # less room than that is too little for two numbers


def histogram(values: list[float], title: str, low: float, high: float) -> str:
    """Draw the distribution of values, those beyond low or high in the outermost bars, with a mark at the median."""
    counts, middle = [0] * BINS, median(values)
    for value in values:
        counts[min(max(int((value - low) / (high - low) * BINS), 0), BINS - 1)] += 1
    bars = [_bar(index, count / max(counts)) for index, count in enumerate(counts) if count]
    x = min(max(Scale(low, high, 0, WIDTH)(middle), 1), WIDTH - 1)
    line = f'<path class="median" d="M{x} 2V{BASE}"/>'
    return svg(['<g class="c0 bars">', *bars, "</g>", line, *_numbers(x, middle, low, high)], title, WIDTH, HEIGHT)


def _numbers(x: float, middle: float, low: float, high: float) -> list[str]:
    """Write the median below its mark, and those ends of the scale that leave it room."""
    ends = [(at, side, value) for at, side, value in ((0, "start", low), (WIDTH, "end", high)) if abs(at - x) > CROWDED]
    placed = [*ends, (min(max(x, CROWDED / 4), WIDTH - CROWDED / 4), "middle", middle)]
    return [f'<text x="{at}" y="{HEIGHT - 6}" class="{side}">{value:.2f}</text>' for at, side, value in placed]


def _bar(index: int, share: float) -> str:
    width, height = WIDTH / BINS, max(TALL * share, 0.8)  # a single sample is seen, too
    place = f'x="{index * width:.1f}" y="{BASE - height:.1f}"'
    return f'<rect {place} width="{width - 0.5:.1f}" height="{height:.1f}"/>'
