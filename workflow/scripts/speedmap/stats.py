"""Statistics of latencies, recomputed from the raw samples whenever they are needed."""

import math

import numpy as np

DRIFT = 0.02  # of the median: the halves of a steady run agree to that
TAILS = {"p90_ms": (0.90, 64), "p99_ms": (0.99, 662)}  # quantile, and the samples that MLPerf asks for it


def summary(samples_ms: list[float]) -> dict:
    """Sum up latencies in milliseconds; a tail quantile is None where the samples are too few for it."""
    values = np.asarray(samples_ms, float)
    low, high = interval(values)
    tails = {
        name: float(np.quantile(values, share)) if len(values) >= least else None
        for name, (share, least) in TAILS.items()
    }
    return {
        "count": len(values),
        "median_ms": float(np.median(values)),
        "median_low_ms": low,
        "median_high_ms": high,
        **tails,
        "min_ms": float(values.min()),
        "mean_ms": float(values.mean()),
    }


def interval(values: np.ndarray, z: float = 1.96) -> tuple[float, float]:
    """Bound the median with 95% confidence by order statistics of the samples (normal limit of the binomial)."""
    ordered = np.sort(values)
    half = z * math.sqrt(len(ordered)) / 2
    low = max(math.floor(len(ordered) / 2 - half), 0)
    high = min(math.ceil(len(ordered) / 2 + half), len(ordered) - 1)
    return float(ordered[low]), float(ordered[high])


def drift(values: list[float]) -> float:
    """Compare the medians of the first and the second half; relative to the median of all."""
    first, second = np.array_split(np.asarray(values, float), 2)
    return float(abs(np.median(first) - np.median(second)) / np.median(values))
