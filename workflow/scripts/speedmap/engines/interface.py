"""What every engine takes, gives and offers, whatever its backend."""

from typing import Protocol

import numpy as np


class Session(Protocol):
    """An engine ready to run one image at a time; a context manager.

    last: milliseconds of the last run by phase, as the engine measured them. facts: on how it runs, for the record.
    """

    last: dict[str, float]
    facts: dict

    def load(self, batch: np.ndarray) -> None:
        """Take an input, float32 [1, 3, h, w] in 0..1."""

    def occupy(self) -> None:
        """Keep the device busy while the next run is launched, lest the launch count as a part of its time."""

    def run(self) -> float:
        """Infer what was loaded; returns milliseconds of the engine alone."""

    def fetch(self) -> np.ndarray:
        """Give the output, float32 [1, anchors, 5 + classes]; valid until the next run."""
