"""How much faster one engine is than another: runs that alternate between the two in one process.

An engine timed twice differs by up to 8% from process to process, for clocks and memory differ; two that take turns
share both, so that their ratio is known far better than either time.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import geometric_mean, median

import numpy as np

from speedmap.engines.interface import Backend
from speedmap.machine.monitor import watch
from speedmap.results.cell import Cell
from speedmap.results.speedup import Layers
from speedmap.results.timing_findings import ForeignProcess, OthersUsedCpu, Throttled, Watched
from speedmap.timing.protocol import Run, runner

ROUNDS, RUNS = 40, 50  # turns of each engine and runs a turn, at most
LEAST_ROUNDS = 10  # fewer give no interval
SHAPES = 3  # of the inputs of a dynamic engine, the data set's most frequent
PROFILED = 20  # runs that layers are timed in
NEIGHBOURS = (ForeignProcess, OthersUsedCpu)  # that make times of layers worthless
OWN_LOAD = Throttled("sw power cap")  # of a large engine, which takes its turns under it, too
DRAWS, SEED = 2000, 0  # of the bootstrap over rounds
LEVELS = (2.5, 97.5)  # percent
DIGITS = 6  # of milliseconds


def measure(backend: Backend, cell: Cell, engine: Path, twin: Path, sizes: list[str], seconds: float) -> dict:
    """Let an engine and its FP16 twin take turns on inputs of some sizes, each for some seconds; see `speedup`.

    Returns that, `rounds_ms`, from which it follows, `watch` (how the machine was meanwhile), and `layers`: of both
    engines, for the first size, nothing where the backend does not tell or others were at work.
    """
    other = replace(cell, precision="fp16")
    batches = {size: np.full((cell.batch, 3, *map(int, size.split("x"))), 0.5, np.float32) for size in sizes}
    with backend.session(twin, other) as first, backend.session(engine, cell) as second:
        runners = [runner(session, batches) for session in (first, second)]
        counts = turns(runners, sizes, seconds)
        with watch(backend.on_gpu) as watched:
            pairs = alternate(*runners, sizes, *counts)
    opened = {"first": (twin, other), "second": (engine, cell)}
    with watch(backend.on_gpu) as beside:
        layers = {name: backend.layers(*engine, batches[sizes[0]], PROFILED) for name, engine in opened.items()}
    told = all(layers.values()) and not any(map(_worthless, beside.result.warnings))
    return {
        **speedup(pairs),
        "rounds_ms": pairs,
        "watch": watched.result,
        "layers": Layers(**layers) if told else Layers(),
    }


def _worthless(warning: Watched) -> bool:
    return isinstance(warning, NEIGHBOURS) or (isinstance(warning, Throttled) and warning != OWN_LOAD)


def alternate(
    first: Run,
    second: Run,
    inputs: Sequence[str],
    rounds: int = ROUNDS,
    runs: int = RUNS,
) -> list[tuple[float, float]]:
    """Let two engines take turns, and which goes first, too; returns the time of each in every round.

    That is the geometric mean of the inputs' medians, so that each input counts the same in the ratio of two.
    first, second: run an input and return milliseconds. A round goes over the inputs, as often as `runs` asks for at
    least, the same ones for both; one round before the first is not counted.
    """
    count = -(-runs // len(inputs))
    pairs = []
    for number in range(rounds + 1):
        order = (first, second) if number % 2 else (second, first)
        times = {run: _typical([[run(item) for item in inputs] for _ in range(count)]) for run in order}
        pairs.append((round(times[first], DIGITS), round(times[second], DIGITS)))
    return pairs[1:]


def _typical(turn: list[list[float]]) -> float:
    return geometric_mean(map(median, zip(*turn, strict=True)))


def turns(runners: Sequence[Run], inputs: Sequence[str], seconds: float) -> tuple[int, int]:
    """Return in how many rounds of how many runs a turn each engine runs for some seconds.

    Slow engines take fewer rounds of one run, not less than LEAST_ROUNDS, fast ones at most ROUNDS of RUNS.
    """
    passes = [[sum(run(item) for item in inputs) for _ in range(2)][1] for run in runners]  # first runs may be slow
    once = max(passes) / 1000
    rounds = max(LEAST_ROUNDS, min(ROUNDS, int(seconds / once)))
    return rounds, max(1, min(RUNS, int(seconds / rounds / once * len(inputs))))


def speedup(pairs: Sequence[tuple[float, float]], draws: int = DRAWS) -> dict:
    """Return how many times as fast the second engine is: the median ratio of the rounds, with a 95% interval.

    Returns `ratio`, `low`, `high` (bootstrap over rounds), `rounds`, and `first_ms`, `second_ms`, the medians of each.
    """
    times = np.asarray(pairs, float)
    ratios = times[:, 0] / times[:, 1]
    drawn = np.random.default_rng(SEED).choice(ratios, (draws, len(ratios)))
    low, high = np.percentile(np.median(drawn, axis=1), LEVELS)
    first, second = np.median(times, axis=0)
    return {"ratio": float(np.median(ratios)), "low": float(low), "high": float(high), "rounds": len(ratios),
            "first_ms": float(first), "second_ms": float(second)}  # fmt: skip
