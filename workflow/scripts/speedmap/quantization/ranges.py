"""From the histogram of a tensor to the range that eight bits should span."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import product

import numpy as np

HALF = 8192  # bins on either side of zero; the outermost value lies in the outer half of them
FINEST = 2.0**-40  # width of the bins of a tensor that is zero throughout
LEVELS = 255  # steps of eight bits, unsigned or signed
CLIPS = np.linspace(0.2, 1.0, 81)  # fractions of the upper extreme that are tried
LOW_CLIPS = (0.25, 0.5, 0.75, 1.0)  # of the lower one: after SiLU nothing lies below -0.278
PERCENT = 99.99  # of the values that the percentile method spans
ENTROPY_BINS = 2048  # what the entropy method compares; finer histograms leave its bins empty


@dataclass(frozen=True)
class Histogram:
    """How often a tensor took which values: bin i of `counts` [2 * HALF] spans (i - HALF) * width and the next.

    width: a power of two, so that histograms of other widths add up exactly. low, high: the true extremes.
    """

    counts: np.ndarray
    width: float
    low: float
    high: float

    @property
    def centres(self) -> np.ndarray:
        return (np.arange(-HALF, HALF) + 0.5) * self.width

    def __add__(self, other: "Histogram") -> "Histogram":
        width = max(self.width, other.width)
        counts = widen(self.counts, self.width, width) + widen(other.counts, other.width, width)
        return Histogram(counts, width, min(self.low, other.low), max(self.high, other.high))


@dataclass(frozen=True)
class Scale:
    """Eight-bit integers q stand for (q - zero) * step; signed ones have no zero point."""

    step: float
    zero: int
    signed: bool

    @property
    def limits(self) -> tuple[int, int]:
        return (-128, 127) if self.signed else (0, 255)

    def round(self, values: np.ndarray) -> np.ndarray:
        """Return the values that quantized ones stand for."""
        low, high = self.limits[0] - self.zero, self.limits[1] - self.zero
        return np.minimum(np.maximum(np.rint(values / self.step), low), high) * self.step


def width_for(extreme: float) -> float:
    """Return the least power of two of a bin's width with which +-extreme lies in a histogram."""
    width = max(2.0 ** np.ceil(np.log2(max(extreme, FINEST) / HALF)), FINEST)
    return float(width if extreme < HALF * width else 2 * width)


def widen(counts: np.ndarray, width: float, wider: float) -> np.ndarray:
    """Merge neighbouring bins until they are `wider`, a power of two times `width`."""
    while width < wider:
        merged = np.zeros_like(counts)
        merged[HALF // 2 : HALF // 2 + HALF] = counts.reshape(-1, 2).sum(1)
        counts, width = merged, 2 * width
    return counts


def scale(low: float, high: float, signed: bool) -> Scale:
    """Lay eight bits over low..high, which is widened to hold zero: padding must stay exact."""
    low, high = min(low, 0.0), max(high, 0.0)
    if high - low < FINEST:
        return Scale(1.0, 0 if signed else 128, signed)
    if signed:
        return Scale(max(-low / 128, high / 127), 0, signed)
    step = (high - low) / LEVELS
    return Scale(step, round(-low / step), signed)


def maximum(histogram: Histogram, signed: bool) -> Scale:
    """Span everything that was seen."""
    return scale(histogram.low, histogram.high, signed)


def percentile(histogram: Histogram, signed: bool) -> Scale:
    """Span all but the outermost values, PERCENT of them."""
    below = np.cumsum(histogram.counts) / max(histogram.counts.sum(), 1)
    spared = (1 - PERCENT / 100) / 2
    first, last = np.searchsorted(below, spared, "right"), np.searchsorted(below, 1 - spared)
    edges = np.arange(-HALF, HALF + 1) * histogram.width
    return scale(max(edges[first], histogram.low), min(edges[last + 1], histogram.high), signed)


def least(histogram: Histogram, signed: bool, power: float) -> Scale:
    """Take the clipping that changes the values least, in the mean of `power` of the changes.

    One that already changes what it clips more than another changes everything is not looked at further.
    """
    used = np.flatnonzero(histogram.counts)
    counts, centres = histogram.counts[used].astype(float), histogram.centres[used]
    clips = zip(CLIPS, CLIPS, strict=True) if signed else product(LOW_CLIPS, CLIPS)
    best, lowest = maximum(histogram, signed), np.inf
    for low, high in list(clips)[::-1]:  # the widest first: they are seldom far from the best
        tried = scale(histogram.low * low, histogram.high * high, signed)
        if _clipped(counts, centres, power, tried) <= lowest:
            distortion = _sum(counts, np.abs(tried.round(centres) - centres), power)
            best, lowest = (tried, distortion) if distortion <= lowest else (best, lowest)
    return best


def _clipped(counts: np.ndarray, centres: np.ndarray, power: float, tried: Scale) -> float:
    """Sum up the changes of the values beyond a scale's limits."""
    low, high = ((limit - tried.zero) * tried.step for limit in tried.limits)
    first, last = centres.searchsorted((low, high))
    return _sum(counts[:first], low - centres[:first], power) + _sum(counts[last:], centres[last:] - high, power)


def _sum(counts: np.ndarray, changes: np.ndarray, power: float) -> float:
    return float(counts @ (np.square(changes) * changes ** (power - 2)))  # 0.5 is a root, ten times as fast as 2.5


def entropy(histogram: Histogram, signed: bool) -> Scale:
    """Take the clipping of magnitudes whose 128 levels keep most of their distribution (Kullback-Leibler).

    Source: S. Migacz, 8-bit inference with TensorRT, GTC 2017.
    """
    magnitudes = histogram.counts[HALF:] + histogram.counts[:HALF][::-1]
    extreme = max(-histogram.low, histogram.high)
    span = max(round(min(extreme / histogram.width, HALF)), 1)
    bins = np.add.reduceat(magnitudes[:span], np.unique(np.linspace(0, span, ENTROPY_BINS, endpoint=False).astype(int)))
    kept = min(range(min(128, len(bins)), len(bins) + 1), key=partial(_divergence, bins.astype(float)))
    limit = extreme * kept / len(bins)
    return scale(max(histogram.low, -limit), min(histogram.high, limit), signed)


def _divergence(bins: np.ndarray, kept: int) -> float:
    """Compare the first `kept` bins, holding the rest in the last, with themselves on 128 levels."""
    clipped = bins[:kept].copy()
    present = clipped > 0
    level = np.arange(kept) * 128 // kept
    share = np.bincount(level, clipped, 128) / np.maximum(np.bincount(level, present, 128), 1)
    coarse = np.where(present, share[level], 0)
    clipped[-1] += bins[kept:].sum()
    if not present[-1] and clipped[-1]:
        return np.inf
    p, q = clipped[present] / clipped.sum(), coarse[present] / max(coarse.sum(), 1)
    return float((p * np.log(p / q)).sum())


METHODS: dict[str, Callable[[Histogram, bool], Scale]] = {
    "power": partial(least, power=2.5), "mse": partial(least, power=2), "max": maximum,
    "percentile": percentile, "entropy": entropy,
}  # fmt: skip
