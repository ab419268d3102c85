"""What calibration keeps of the tensors that pass by, in memory that does not grow."""

from typing import NamedTuple

import numpy as np

from speedmap.graph.detector_graph import Graph
from speedmap.quantization.ranges import HALF, Histogram, width_for

ROUNDING = 1e-5  # of squares added up in float32
POSITIONS = 512  # of a kernel that are looked at in each image


class Moments(NamedTuple):
    """What the values under a kernel, in the order of its weights, are on average, and how they vary together.

    mean [in * h * w], padding included. covariance [same, same], None where it was too large to keep.
    """

    mean: np.ndarray
    covariance: np.ndarray | None


class Sums:
    """Adds up values [variables, observations], from which their moments follow."""

    def __init__(self) -> None:
        self.sums, self.products, self.size = 0.0, 0.0, 0

    def add(self, rows: np.ndarray) -> None:
        """Add some observations."""
        self.sums = self.sums + rows.sum(1, np.float64)
        self.products = self.products + (rows @ rows.T)
        self.size += rows.shape[1]

    @property
    def moments(self) -> Moments:
        mean = self.sums / self.size
        covariance = self.products / self.size - np.outer(mean, mean)
        if np.trace(covariance) < ROUNDING * np.square(mean).sum():  # nothing varies: a convolution before is dead
            covariance = np.zeros_like(covariance)
        return Moments(mean, covariance.astype(np.float32))


class Observer:
    """Counts the values of one tensor, image by image, in memory that does not grow."""

    def __init__(self) -> None:
        self.histogram: Histogram | None = None
        self.shape = ()

    def add(self, value: np.ndarray) -> None:
        """Count a tensor [1, channels, h, w]; ValueError when it holds an inf or NaN."""
        low, high = float(value.min()), float(value.max())
        if not np.isfinite(high - low):
            raise ValueError("inf or NaN")
        width = max(width_for(max(-low, high)), self.histogram.width if self.histogram else 0)
        bins = value.ravel() * np.float32(1 / width)
        bins += np.float32(HALF)
        counts = np.bincount(bins.astype(np.intp), minlength=2 * HALF + 1)
        counts[-2] += counts[-1]  # what rounding put into a bin beyond the last
        seen = Histogram(counts[:-1], width, low, high)
        self.histogram = self.histogram + seen if self.histogram else seen
        self.shape = value.shape


class Window:
    """Collects how the values under a convolution's kernel vary together, at some positions of each image."""

    def __init__(self, graph: Graph, conv: str) -> None:
        node = graph.convs[conv]
        self.tensor, self.kernel = node.input[0], graph.weight(conv).shape[2:]
        found = {attribute.name: list(attribute.ints) for attribute in node.attribute}
        self.strides, self.pads = found.get("strides", [1, 1]), found.get("pads", [0, 0, 0, 0])
        self.random, self.seen = np.random.default_rng(0), Sums()

    def add(self, value: np.ndarray) -> None:
        """Look at a tensor [1, channels, h, w]."""
        (top, left, bottom, right), (channels, height, width) = self.pads, value.shape[1:]
        padded = np.zeros((channels, top + height + bottom, left + width + right), value.dtype)
        padded[:, top : top + height, left : left + width] = value[0]
        sizes = [(size - kernel) // stride + 1
                 for size, kernel, stride in zip(padded.shape[1:], self.kernel, self.strides, strict=True)]  # fmt: skip
        corners = self.random.integers(sizes, size=(POSITIONS, 2)) * self.strides
        y, x = (corners[:, axis] + np.arange(self.kernel[axis])[:, None] for axis in (0, 1))  # [kernel, positions]
        places = y[:, None] * padded.shape[2] + x  # in the order of the weights
        self.seen.add(padded.reshape(channels, -1).take(places, 1).reshape(-1, POSITIONS))
