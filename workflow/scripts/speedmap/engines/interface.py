"""What every backend and every one of its engines offers."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

import numpy as np

from speedmap.errors import UserError
from speedmap.results.cell import Cell


class Session(Protocol):
    """An engine ready to run one batch at a time, as large as its cell says; a context manager.

    last: milliseconds of the last run by phase, as the engine measured them. facts: on how it runs, as in Opened.
    occupies: inferences that `occupy` launches.
    """

    last: dict[str, float]
    occupies: int
    facts: dict

    def __enter__(self) -> "Session": ...

    def __exit__(self, *error: object) -> None: ...

    def load(self, batch: np.ndarray) -> None:
        """Take an input, float32 [batch, 3, h, w] in 0..1."""

    def occupy(self) -> None:
        """Keep the device busy while the next run is launched, lest the launch count as a part of its time."""

    def run(self) -> float:
        """Infer what was loaded; returns milliseconds of the engine alone."""

    def fetch(self) -> np.ndarray:
        """Return the output, float32 [batch, anchors, 5 + classes]; valid until the next run."""


@dataclass(frozen=True)
class Inspection:
    """What an engine runs. shares: of the multiply-adds by precision. layers: precisions by ONNX node.

    lint: what keeps it from being faster, where the backend tells.
    """

    shares: dict[str, float]
    layers: dict[str, str]
    lint: dict[str, int | None] = field(default_factory=dict)


class ForeignError(UserError):
    """An engine built elsewhere that cannot be measured here; the message names it, the cause and the remedy."""


class Taken(NamedTuple):
    """What an engine built elsewhere is. shares: of its convolutions by precision, {} where that is not known."""

    shape: Literal["static", "dynamic"]
    shares: dict[str, float]

    @property
    def precision(self) -> str | None:
        """The precision that most of its convolutions run in; None where nothing is known of them."""
        return max(self.shares, key=self.shares.get, default=None)


class Backend(ABC):
    """A runtime for detectors: builds engines, opens them and says what they run.

    on_gpu: whether its sessions run on a GPU, which a job must then hold. What is not abstract is optional.
    """

    on_gpu: bool

    @abstractmethod
    def platform(self) -> dict:
        """Return what an engine depends on besides its graph: a change of it means to build anew."""

    @abstractmethod
    def session(self, engine: Path, cell: Cell) -> Session:
        """Open an engine for the least latency."""

    def build(self, onnx: Path, engine: Path, opt: tuple[int, int], imgsz: int, dynamic: bool, options: dict) -> dict:
        """Build an engine file from typed ONNX, whole or not at all; returns the facts of the build.

        opt: (height, width) that a dynamic engine is optimised for. options: the config's section of the backend.
        """
        raise NotImplementedError(f"{type(self).__name__} runs networks as they are and builds no engines")

    def take(self, given: Path, engine: Path, imgsz: int, classes: int) -> Taken:
        """Write an engine file from one that was built elsewhere; ForeignError where it is no detector for here."""
        raise ForeignError(
            f"{given}: engines from elsewhere are measured by TensorRT and OpenVINO; choose another backend"
        )

    def audit(self, engine: Path, onnx: Path, imgsz: int) -> Inspection:
        """Look into an engine: in which precision each convolution of its graph runs."""
        raise NotImplementedError(f"{type(self).__name__} runs networks as they are and has no engines to look into")

    def sessions(self, engine: Path, cell: Cell) -> list[Session]:
        """Open an engine for throughput, as one session or several that infer side by side."""
        return [self.session(engine, cell)]

    def layers(self, engine: Path, cell: Cell, batch: np.ndarray, runs: int) -> dict[str, float]:
        """Return the milliseconds that an engine's layers take by their kind; {} where the backend does not tell.

        Medians of each layer over so many runs of an input. Being timed one by one may slow them down.
        """
        return {}

    def alternatives(self) -> dict[str, Callable[[Path, Cell], Session]]:
        """Return the other ways to run an engine, whose speed is a remark beside that of the first, by name."""
        return {}
