"""Show how far the verdicts can be trusted, on runs of the null engine of which the truth is known.

    python benchmarks/belief.py

Prints how often the 95% interval of a median holds the true one, how often clean and disturbed runs are marked, how
often comparing with a baseline calls an equal, a 3% slower and a 20% slower run regressed, and how often two equal runs
over a mix of two input shapes are judged unequal, with a mark and without one.
"""

import argparse
import json
import random
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow/scripts"))

from speedmap.engines import null
from speedmap.publishing import compare
from speedmap.results.cell import Cell
from speedmap.timing import stats
from speedmap.timing.protocol import Protocol, collect

COUNT = 500  # samples a run
TRUTH = 5.0  # ms
NOISES = (0.002, 0.01, 0.05, 0.3)
CLEAN = (0.001, 0.02, 0.05)  # noises at which a run should not be marked
DISTURBED = {"drift of 8%": {"drift": 0.08}, "two clocks, 8% apart": {"slow": 0.08}}
MIXES = {"half of the images": (64, 64), "a third of the images": (86, 42)}  # fast and slow ones
SLOW = 1.5  # times the fast
LIMITS = (0.02, 0.15)  # the defaults of `limits.speed` and `limits.speed_always`


@contextmanager
def opened(seed: int, **script: float) -> Iterator[null.Session]:
    """Open a null engine."""
    with tempfile.TemporaryDirectory() as folder:
        engine = Path(folder, "engine")
        engine.write_text(json.dumps({"median_ms": TRUTH, "seed": seed, "runs": COUNT, **script}))
        with null.Session(engine, Cell("null", "yolov5n", "fp32", "static")) as session:
            yield session


def sample(seed: int, **script: float) -> list[float]:
    """Play a run of the null engine; latencies in milliseconds."""
    with opened(seed, **script) as session:
        return [session.run() for _ in range(COUNT)]


def mix(seed: int, fast: int, slow: int) -> list[float]:
    """Play a run over images of two shapes for 3 s of the null engine's own time; latencies in milliseconds."""
    order, passed = random.Random(0).sample([1.0] * fast + [SLOW] * slow, fast + slow), 0.0
    speed = random.Random(seed).gauss(1, 0.003)  # so that runs differ in how many images they get through

    def run(factor: float) -> float:
        nonlocal passed
        latency = factor * session.run()
        passed += latency / 1e3
        return latency

    with opened(seed, median_ms=TRUTH * speed) as session:
        return [latency for _, latency in collect(run, order, Protocol(0, 3, 200), lambda: passed)]


def judged(before: list[float], after: list[float]) -> str:
    """Return the verdict on a run against another."""
    return compare.verdict(*compare.slowdown(*(stats.summary(values, 0.0) for values in (before, after))), *LIMITS)


def unequal(seed: int, fast: int, slow: int) -> tuple[bool, bool]:
    """Return whether two equal runs over a mix are judged unequal, and whether one of them is marked."""
    runs = [mix(seed * 2 + side, fast, slow) for side in (0, 1)]
    return judged(*runs) != compare.NOISE, any(stats.gap(values) for values in runs)


def holds(seed: int, noise: float) -> bool:
    """Return whether the interval of a run holds the true median."""
    low, high = stats.interval(sample(seed, noise=noise))
    return low <= TRUTH <= high


def marked(seed: int, **script: float) -> bool:
    """Return whether anything in a run's samples speaks against it."""
    return bool(stats.doubts(sample(seed, **script)))


def regressed(seed: int, noise: float, slower: float) -> bool:
    """Return whether a run that is slower by a factor is called regressed."""
    before, after = (sample(seed * 2 + side, noise=noise) for side in (0, 1))
    return judged(before, [slower * ms for ms in after]) == compare.REGRESSED


def share(outcomes: list[bool]) -> str:
    """Write how many of some outcomes are true."""
    return f"{100 * sum(outcomes) / len(outcomes):6.1f}%"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000, help="of each kind")
    runs = parser.parse_args().runs
    print(f"the interval holds the true median: {share([holds(seed, 0.05) for seed in range(runs)])}")
    for noise in CLEAN:
        found = share([marked(seed, noise=noise) for seed in range(runs)])
        print(f"a clean run is marked, noise {noise:.1%}: {found}")
    for name, script in DISTURBED.items():
        print(f"{name}, is marked: {share([marked(seed, **script) for seed in range(runs)])}")
    for slower in (1.0, 1.03, 1.2):
        for noise in NOISES:
            found = share([regressed(seed, noise, slower) for seed in range(runs)])
            print(f"{slower - 1:.0%} slower is called regressed, noise {noise:.1%}: {found}")
    for name, counts in MIXES.items():
        found = [unequal(seed, *counts) for seed in range(runs)]
        for mark in (True, False):
            wrong = share([different and marks == mark for different, marks in found])
            print(f"equal runs, {name} slow, are unequal {'with a' if mark else 'without'} mark: {wrong}")
        print(f"equal runs, {name} slow, are marked: {share([marks for _, marks in found])}")


if __name__ == "__main__":
    main()
