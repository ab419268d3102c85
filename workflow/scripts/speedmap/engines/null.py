"""An engine that only pretends: its latencies and outputs follow a script, to test what is said about measurements.

The engine file is JSON: `median_ms`, and any of `noise` (relative), `drift` (relative, from the first run to the last
of `runs`), `slow` (relative, at random for `slow_share` of the runs), `seed`, `classes`, `layers` (ms by kind).
"""

import json
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct
from onnx import load

from speedmap import storage
from speedmap.engines.interface import Backend, Inspection
from speedmap.results.cell import Cell


class Script(Struct, frozen=True):
    """How an engine pretends: its median in milliseconds, and what disturbs it, relative to that."""

    median_ms: float = 1.0
    noise: float = 0.01
    drift: float = 0.0
    runs: int = 500
    slow: float = 0.0
    slow_share: float = 0.3
    seed: int = 0
    classes: int = 1
    layers: dict[str, float] = {}


class Null(Backend):
    """Engines that are scripts; pretends to run on a GPU, so that what holds one can be tried without."""

    on_gpu = True

    def platform(self) -> dict:
        return {"device": "null"}

    def build(self, onnx: Path, engine: Path, opt: tuple[int, int], imgsz: int, dynamic: bool, options: dict) -> dict:
        """Write the script in `options` as the engine."""
        classes = load(onnx).graph.output[0].type.tensor_type.shape.dim[2].dim_value - 5
        with storage.atomic(engine) as temporary:
            temporary.write_text(json.dumps({"median_ms": 1.0, "classes": classes, **options}))
        return {"build_s": 0.0}

    def session(self, engine: Path, cell: Cell) -> "Session":
        return Session(engine, cell)

    def layers(self, engine: Path, cell: Cell, batch: np.ndarray, runs: int) -> dict[str, float]:
        """Return what the script says."""
        return self.session(engine, cell).script.layers

    def audit(self, engine: Path, onnx: Path, imgsz: int) -> Inspection:
        """Return float32 for everything."""
        return Inspection({"fp32": 1.0}, {})


class Session:
    """A script being played; a context manager with the interface of every engine."""

    occupies = 0

    def __init__(self, engine: Path, cell: Cell) -> None:
        self.script = msgspec.json.decode(engine.read_bytes(), type=Script)
        self.random = np.random.default_rng(self.script.seed)
        self.done, self.last = 0, {}
        self.facts = {"precision": cell.precision}

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def load(self, batch: np.ndarray) -> None:
        """Take an input, and forget all but its size."""
        self.images, _, height, width = batch.shape
        self.anchors = sum(3 * (height // stride) * (width // stride) for stride in (8, 16, 32))

    def occupy(self) -> None:
        """Do nothing."""

    def run(self) -> float:
        """Play the next latency, in milliseconds, without waiting for it."""
        script = self.script
        slope = 1 + script.drift * self.done / script.runs
        level = 1 + script.slow * (self.random.random() < script.slow_share)
        noise = 1 + script.noise * self.random.normal()
        self.done += 1
        elapsed = script.median_ms * slope * level * noise
        self.last = {"compute": elapsed}
        return elapsed

    def fetch(self) -> np.ndarray:
        """Return an output in which nothing is found."""
        return np.zeros((self.images, self.anchors, 5 + self.script.classes), np.float32)
