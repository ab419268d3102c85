"""Differences of two mAPs with the error that pairing leaves them, and how surely one is none."""

from dataclasses import dataclass

import numpy as np

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


def between(record: dict | None, other: dict | None) -> Difference | None:
    """Subtract the mAP in the accuracy record `other` from that in `record`; None unless both saw the same images."""
    if not record or not other or record["dataset"]["sha256"] != other["dataset"]["sha256"]:
        return None
    ours, theirs = (np.array(one.get("bootstrap", {}).get("map", ())) for one in (record, other))
    if len(ours) != len(theirs) or not len(ours):
        return None
    return Difference(record["metrics"]["map"] - other["metrics"]["map"], standard_error(ours - theirs))


def standard_error(draws: list[float] | np.ndarray) -> float:
    """Give the standard error of a figure whose value in every draw of a bootstrap is given, or of a difference."""
    return float(np.std(draws, ddof=1)) if len(draws) > 1 else 0.0
