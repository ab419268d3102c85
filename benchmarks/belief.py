"""Say how far the verdicts can be trusted, on runs of the null engine of which the truth is known.

Usage: python benchmarks/belief.py [RUNS]

Prints how often the 95% interval of a median holds the true one, how often clean and disturbed runs are marked, and how
often comparing with a baseline calls an equal, a 3% slower and a 20% slower run regressed.
"""

import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow/scripts"))

from speedmap import compare, null_engine, stats
from speedmap.cells import Cell

COUNT = 500  # samples a run
TRUTH = 5.0  # ms
NOISES = (0.002, 0.01, 0.05, 0.3)
CLEAN = (0.001, 0.02, 0.05)  # noises at which a run should not be marked
DISTURBED = {"drift of 8%": {"drift": 0.08}, "two clocks, 8% apart": {"slow": 0.08}}
LIMITS = (0.02, 0.15)  # the defaults of `limits.speed` and `limits.speed_always`


def sample(seed: int, **script: float) -> list[float]:
    """Play a run of the null engine; latencies in milliseconds."""
    with tempfile.TemporaryDirectory() as folder:
        engine = Path(folder, "engine")
        engine.write_text(json.dumps({"median_ms": TRUTH, "seed": seed, "runs": COUNT, **script}))
        with null_engine.Session(engine, Cell("null", "yolov5n", "fp32", "static")) as session:
            return [session.run() for _ in range(COUNT)]


def holds(seed: int, noise: float) -> bool:
    """Say whether the interval of a run holds the true median."""
    low, high = stats.interval(sample(seed, noise=noise))
    return low <= TRUTH <= high


def marked(seed: int, **script: float) -> bool:
    """Say whether anything in a run's samples speaks against it."""
    return bool(stats.doubts(sample(seed, **script)))


def regressed(seed: int, noise: float, slower: float) -> bool:
    """Say whether a run that is slower by a factor is called regressed."""
    before, after = (sample(seed * 2 + side, noise=noise) for side in (0, 1))
    sides = [
        {"summary": stats.summary(values), "build_error": 0.0} for values in (before, [slower * ms for ms in after])
    ]
    return compare.verdict(*compare.slowdown(*sides), *LIMITS) == compare.REGRESSED


def share(outcomes: list[bool]) -> str:
    """Write how many of some outcomes are true."""
    return f"{100 * sum(outcomes) / len(outcomes):6.1f}%"


def main(runs: int = 1000) -> None:
    """Print one line a question."""
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


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
