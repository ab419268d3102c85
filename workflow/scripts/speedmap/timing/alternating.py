"""How much faster one engine is than another: runs that alternate between the two in one process.

An engine timed twice differs by up to 8% from process to process, for clocks and memory differ; two that take turns
share the clocks, and in one opening their ratio is known to a thousandth. Between openings of the same two it differs:
yolov5n's on an H200 was 0.959 to 0.983 in four (results/published/h200-tensorrt8.6/cut-grid). So there are several.
"""

import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
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

OPENINGS = 4  # of both engines, half of them with either one first
STUDENT = 3.182  # of as many: a 95% interval of Student's t with three degrees of freedom
ROUNDS, RUNS = 10, 50  # turns of each engine in an opening and runs a turn, at most
LEAST_ROUNDS = 3
SHAPES = 3  # of the inputs of a dynamic engine, the data set's most frequent
PROFILED = 20  # runs that layers are timed in
NEIGHBOURS = (ForeignProcess, OthersUsedCpu)  # that make times of layers worthless
OWN_LOAD = Throttled("sw power cap")  # of a large engine, which takes its turns under it, too
DRAWS, SEED = 2000, 0  # of the bootstrap over the rounds of a single opening
LEVELS = (2.5, 97.5)  # percent
DIGITS = 6  # of milliseconds


def measure(backend: Backend, cell: Cell, engine: Path, twin: Path, sizes: list[str], seconds: float) -> dict:
    """Let an engine and its FP16 twin take turns on inputs of some sizes, each for some seconds; see `speedup`.

    Returns that, `rounds_ms`, from which it follows, `watch` (how the machine was meanwhile), and `layers`: of both
    engines, for the first size, nothing where the backend does not tell or others were at work.
    """
    engines = {"first": (twin, replace(cell, precision="fp16")), "second": (engine, cell)}
    batches = {size: np.full((cell.batch, 3, *map(int, size.split("x"))), 0.5, np.float32) for size in sizes}
    watched = watch(backend.on_gpu)
    pairs = _pairs(backend, engines, batches, seconds / OPENINGS, watched)
    with watch(backend.on_gpu) as beside:
        layers = {name: backend.layers(*engine, batches[sizes[0]], PROFILED) for name, engine in engines.items()}
    told = all(layers.values()) and not any(map(_worthless, beside.result.warnings))
    return {
        **speedup(pairs, OPENINGS),
        "openings": OPENINGS,
        "rounds_ms": pairs,
        "watch": watched.result,
        "layers": Layers(**layers) if told else Layers(),
    }


def _pairs(
    backend: Backend,
    engines: Mapping[str, tuple[Path, Cell]],
    batches: dict[str, np.ndarray],
    seconds: float,
    watched: AbstractContextManager,
) -> list[tuple[float, float]]:
    """Open both engines several times, and let them take turns each time, in as many rounds.

    watched: entered when both have run for the first time, so that the clocks are up.
    """
    pairs: list[tuple[float, float]] = []
    counts = (0, 0)
    with ExitStack() as watching:
        for opening in range(OPENINGS):
            with ExitStack() as stack:
                names = list(engines) if opening % 2 else list(engines)[::-1]
                opened = {name: stack.enter_context(backend.session(*engines[name])) for name in names}
                runners = [runner(opened[name], batches) for name in engines]
                if not opening:
                    counts = turns(runners, list(batches), seconds)
                    watching.enter_context(watched)
                pairs += alternate(*runners, list(batches), *counts)
    return pairs


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


def speedup(pairs: Sequence[tuple[float, float]], openings: int = 1, draws: int = DRAWS) -> dict:
    """Return how many times as fast the second engine is: the mean of the openings' median ratios, and a 95% interval.

    pairs: of the rounds of all openings, as many of each. Returns `ratio`, `low`, `high` (by Student's t over OPENINGS;
    of a single opening by a bootstrap over its rounds), `rounds`, and `first_ms`, `second_ms`, the medians of each.
    """
    times = np.asarray(pairs, float)
    ratios = (times[:, 0] / times[:, 1]).reshape(openings, -1)
    medians = np.median(ratios, axis=1)
    if openings == 1:
        drawn = np.random.default_rng(SEED).choice(ratios[0], (draws, len(times)))
        low, high = np.percentile(np.median(drawn, axis=1), LEVELS)
    else:
        low, high = medians.mean() + STUDENT * medians.std(ddof=1) / math.sqrt(openings) * np.array([-1, 1])
    first, second = np.median(times, axis=0)
    return {"ratio": float(medians.mean()), "low": float(low), "high": float(high), "rounds": len(times),
            "first_ms": float(first), "second_ms": float(second)}  # fmt: skip
