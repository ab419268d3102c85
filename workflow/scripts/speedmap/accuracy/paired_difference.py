"""Differences of two mAPs with the error that pairing leaves them, and how surely one is none."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from speedmap.results.accuracy import Accuracy

SURE = 2.0  # standard errors that a difference must exceed to be called one


@dataclass(frozen=True)
class Difference:
    """How much higher one mAP is than another, and the standard error of that; fractions of 1."""

    value: float
    error: float

    @property
    def sure(self) -> bool:
        return abs(self.value) > SURE * self.error

    def __str__(self) -> str:
        """Write it in points; one within two standard errors has `≈` in front."""
        return f"{'' if self.sure else '≈ '}{100 * self.value:+.2f} ± {100 * self.error:.2f}"


def between(record: Accuracy | None, other: Accuracy | None) -> Difference | None:
    """Subtract the mAP in `other` from that in `record`; None for other images or no error."""
    if not record or not other or record.dataset.sha256 != other.dataset.sha256:
        return None
    ours, theirs = (np.array(one.bootstrap.map) for one in (record, other))
    if len(ours) != len(theirs) or (error := standard_error(ours - theirs)) is None:
        return None
    return Difference(record.metrics.map - other.metrics.map, error)


def standard_error(draws: Sequence[float] | np.ndarray) -> float | None:
    """Return the standard error of a figure, or of a difference, from its value in every draw of a bootstrap.

    None, which is unknown, for fewer than two draws.
    """
    return float(np.std(draws, ddof=1)) if len(draws) > 1 else None
