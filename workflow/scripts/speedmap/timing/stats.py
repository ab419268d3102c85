"""Statistics of latencies, and what speaks against them; recomputed from the raw samples whenever they are needed."""

import math

import numpy as np

from speedmap.results.speed import Summary
from speedmap.results.timing_findings import Doubt, HalvesDiffer, ShapeGap, TwoLevels, WideInterval

Z = 1.96  # of a 95% interval
TAILS = {"p90_ms": (0.90, 64), "p99_ms": (0.99, 662)}  # quantile, and the samples that MLPerf asks for it
DRIFT = 0.02  # of the median: the halves of a steady run agree to that
GROSS_DRIFT = 0.03  # of the median: a slope that makes itself look like noise with a memory
WIDE = 0.05  # of the median: half an interval beyond that tells little
GAP = 0.03  # of the median, between two levels: less is not worth a word
EXPLAINED = 0.85  # of the variance by two levels; one level explains 0.64 if normal, 0.75 if uniform
MINOR = 0.1  # share of the samples that makes a second level, rather than outliers
LAGS = 1000  # longest memory of a run that is looked for, in samples


def summary(samples_ms: list[float], drift: float) -> Summary:
    """Sum up latencies in milliseconds; drift: of the run, see below."""
    values = np.asarray(samples_ms, float)
    low, high = interval(values)
    tails = {
        name: float(np.quantile(values, share)) if len(values) >= least else None
        for name, (share, least) in TAILS.items()
    }
    return Summary(
        count=len(values),
        median_ms=float(np.median(values)),
        median_low_ms=low,
        median_high_ms=high,
        **tails,
        min_ms=float(values.min()),
        mean_ms=float(values.mean()),
        drift=drift,
    )


def interval(values: list[float] | np.ndarray, remembered: float | None = None) -> tuple[float, float]:
    """Bound the median with 95% confidence by order statistics of samples in time order.

    Assumes a stationary run: how often samples lie above the median may depend on those shortly before (a clock, a
    neighbour), and the interval widens accordingly; it says nothing of other runs, other builds or another day.
    remembered: the memory() of the run if it is known, 1 for independent samples.
    """
    ordered = np.sort(values)
    half = Z * math.sqrt(len(ordered) * (remembered or memory(values))) / 2
    rank = max(math.floor((len(ordered) + 1) / 2 - half), 1)
    return float(ordered[rank - 1]), float(ordered[len(ordered) - rank])


def memory(values: list[float] | np.ndarray) -> float:
    """Return how many samples in a row tell as much as one independent sample does about the median; at least 1.

    1 + 2 * the autocorrelations of being above the median, summed up to the first that is not positive.
    """
    above = np.sign(np.asarray(values, float) - np.median(values))
    size = min(len(above), LAGS)
    if size < 2 or not above.any():
        return 1.0
    spectrum = np.abs(np.fft.rfft(above, 2 * len(above))) ** 2  # padded, so that the end does not meet the start
    correlations = np.fft.irfft(spectrum)[:size] / np.square(above).sum()
    positive = correlations[1:] > 0
    until = size - 1 if positive.all() else int(positive.argmin())
    return 1 + 2 * float(correlations[1 : until + 1].sum())


def drift(values: list[float]) -> float:
    """Compare the medians of the first and the second half; relative to the median of all, 0 for a single value."""
    if len(values) < 2:
        return 0.0
    first, second = np.array_split(np.asarray(values, float), 2)
    return float(abs(np.median(first) - np.median(second)) / np.median(values))


def doubts(values: list[float]) -> list[Doubt]:
    """Return what in the samples themselves speaks against their median, [] for nothing.

    values: latencies in time order; those of a mix of inputs each divided by the median of its input.
    """
    checks = (_drifts, _two_levels, _wide) if len(values) > 1 else ()
    return [doubt for check in checks if (doubt := check(values))]


def gap(values: list[float]) -> list[ShapeGap]:
    """Doubt the median of a mix of inputs that lies between two levels of it, where a few samples decide which.

    values: latencies in milliseconds, of inputs that take different times.
    """
    low, high = interval(values)
    steps = np.diff(np.sort([value for value in values if low <= value <= high]))
    widest = steps.max(initial=0) / float(np.median(values))
    return [ShapeGap(float(widest))] if widest > GAP else []


def _drifts(values: list[float]) -> HalvesDiffer | None:
    """Doubt halves that differ by more than DRIFT and by more than their intervals allow.

    A steady slope looks like a long memory, which widens the intervals: beyond GROSS_DRIFT they are taken without it.
    """
    change, halves = drift(values), np.array_split(np.asarray(values, float), 2)
    if change <= DRIFT or not _apart(*(interval(half, 1.0 if change > GROSS_DRIFT else None) for half in halves)):
        return None
    return HalvesDiffer(change)


def _apart(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one[1] < other[0] or other[1] < one[0]


def _two_levels(values: list[float]) -> TwoLevels | None:
    """Doubt a run that was at one of two speeds at a time, whatever the order."""
    ordered = np.sort(values)
    cut = int(len(ordered) * MINOR / 4)
    ordered = ordered[cut : len(ordered) - cut]  # outliers would be a level of their own
    share, gap, explained = split(ordered)
    if min(share, 1 - share) < MINOR or gap < GAP * np.median(ordered) or explained < EXPLAINED:
        return None
    return TwoLevels(float(gap / np.median(ordered)), share)


def split(ordered: np.ndarray) -> tuple[float, float, float]:
    """Split sorted values in two so that the halves explain most of the variance (Otsu).

    Returns the share of the lower part, the distance of the means, and the share of the variance that it explains.
    """
    count, total = len(ordered), float(ordered.var())
    if count < 2 or total == 0:
        return 1.0, 0.0, 0.0
    lower = np.arange(1, count)
    sums = np.cumsum(ordered)
    gaps = (sums[-1] - sums[:-1]) / (count - lower) - sums[:-1] / lower
    between = lower * (count - lower) / count**2 * gaps**2
    best = int(between.argmax())
    return float(lower[best] / count), float(gaps[best]), float(between[best] / total)


def _wide(values: list[float]) -> WideInterval | None:
    low, high = interval(values)
    half = (high - low) / 2 / float(np.median(values))
    return WideInterval(half) if half > WIDE else None
