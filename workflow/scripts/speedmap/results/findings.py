"""What was found out about a cell that its reader must know: each a kind with its figures, no words.

Words are made where a finding is shown, see reporting.footnotes; in a record it is an object with its `kind`.
"""

import re

from msgspec import Struct

Shares = dict[str, float]  # of the multiply-adds, by the precision that they run in


def _kind(name: str) -> str:
    """Write a class's name as records do: `other_gpus_busy`."""
    return re.sub(r"(?<=.)([A-Z])", r"_\1", name).lower()


class Finding(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag=_kind):
    """A kind with its figures, which the fields are."""

    @property
    def kind(self) -> str:
        return self.__struct_config__.tag

    def __str__(self) -> str:
        """Write it for a log: the kind and its figures."""
        figures = ((name, getattr(self, name)) for name in self.__struct_fields__)
        texts = (f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}" for name, value in figures)
        return ", ".join((self.kind.replace("_", " "), *texts))


class BoxesOutside(Finding, frozen=True):
    """outside: how many of the boxes lie outside of their image."""

    outside: int
    boxes: int


class NoDetections(Finding, frozen=True):
    """Nothing was detected in any image."""


class WrongPrecision(Finding, frozen=True):
    """The engine runs another precision than the one that was asked for, or too little of it."""

    asked: str
    shares: Shares


class ScoresDisagree(Finding, frozen=True):
    """cosine: with the scores of the float32 graph."""

    cosine: float


class SumsSaturate(Finding, frozen=True):
    """The CPU adds products of INT8 in 16 bits, which may be why scores disagree."""


class BoxesDisagree(Finding, frozen=True):
    """overlap: with the boxes of the float32 graph."""

    overlap: float


class DifferentEngines(Finding, frozen=True):
    """Speed and mAP are of different engine files."""


class MixedPrecision(Finding, frozen=True):
    """A good part of the engine runs in another precision than its own."""

    shares: Shares


class TargetMissed(Finding, frozen=True):
    """reached: the least change of the output that INT8 was found to make, with int8_share of the multiply-adds."""

    reached: float
    target: float
    int8_share: float


class Int8Slower(Finding, frozen=True):
    """How many times as fast INT8 is as the float engine, with a 95% interval: surely less than once.

    turns: whether the engines took turns. level: TensorRT's builder level, None for other backends. more: milliseconds
    that layers of some kinds take more than in the float engine, which is why; {} where the layers do not tell, None
    where they were not timed.
    """

    than: str
    ratio: float
    low: float
    high: float
    turns: bool
    level: int | None
    more: dict[str, float] | None


class NotCompared(Finding, frozen=True):
    """INT8 reads slower than the float engine, of which nothing follows. runs: that were disturbed or ill known."""

    than: str
    runs: tuple[str, ...]


class OfTurns(Finding, frozen=True):
    """What disturbed the engines of INT8 and FP16 while they took turns."""

    finding: Finding


class OfBuild(Finding, frozen=True):
    """What is to be said of a further build. invalid: it makes that build worthless."""

    number: int
    finding: Finding
    invalid: bool


class NoBoxes(Finding, frozen=True):
    """The data set has nothing to evaluate a mAP on."""


class NotVerified(Finding, frozen=True):
    """The engine was not verified."""


class JobFailed(Finding, frozen=True):
    """message: the last line of the log of the job that should have made a record."""

    message: str


OfDetections = BoxesOutside | NoDetections
Invalidity = WrongPrecision | ScoresDisagree | SumsSaturate | BoxesDisagree
