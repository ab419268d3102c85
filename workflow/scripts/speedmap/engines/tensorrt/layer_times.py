"""How long the layers of an engine take, by TensorRT's own profiler.

TensorRT waits after each layer when it is profiled, so that their sum is well above the engine's own time: it tells
kinds of layers and engines apart, and is no latency.
"""

import time
from collections import defaultdict
from pathlib import Path
from statistics import median

import numpy as np

from speedmap.engines.tensorrt import inspector
from speedmap.engines.tensorrt.cuda import Stream
from speedmap.engines.tensorrt.engine_file import inspected, released
from speedmap.engines.tensorrt.library import load, platform
from speedmap.engines.tensorrt.session import Session

WARMUP_S = 0.5  # an H100 profiled one engine as 0.75 and as 1.02 ms, after 20 runs, which take 8 ms
UNKNOWN = "unknown"  # kind of a layer that the inspector does not list


def by_layer(engine: Path, batch: np.ndarray | None, runs: int) -> dict[str, float]:
    """Return the median milliseconds of each layer over some runs, after WARMUP_S of others that are not counted.

    batch: None for noise of the likeliest input.
    """
    times: dict[str, list[float]] = defaultdict(list)

    class Profiler(load().IProfiler):
        def __init__(self) -> None:
            load().IProfiler.__init__(self)

        def report_layer_time(self, layer_name: str, ms: float) -> None:
            times[plain(layer_name)].append(ms)

    profiler = Profiler()  # which must outlive the context
    with Session(engine) as session:
        session.load(np.random.default_rng(0).random(session.likeliest, np.float32) if batch is None else batch)
        until = time.perf_counter() + WARMUP_S
        while time.perf_counter() < until:
            session.run()
        session.profile(profiler, runs)
    return {name: median(values) for name, values in times.items()}


def kinds(engine: Path) -> dict[str, str]:
    """Return the kind of each layer of an engine."""
    with Stream(), released():
        layers = inspector.parse(inspected(engine, platform()))
    return {plain(layer.name): layer.kind for layer in layers}


def by_kind(times: dict[str, float], kind_of: dict[str, str]) -> dict[str, float]:
    """Sum up the milliseconds of the layers of each kind."""
    sums: dict[str, float] = defaultdict(float)
    for name, ms in times.items():
        sums[kind_of.get(name, UNKNOWN)] += ms
    return {kind: ms for kind, ms in sums.items() if ms}


def plain(name: str) -> str:
    """Write control characters, which stand between the names of fused layers, as the inspector's JSON is read."""
    return " ".join(name.split())
