"""Compare a run on several GPUs of one host with a run on one of them.

    python benchmarks/neighbours.py one/results several/results

Prints for each cell both medians, their ratio and whether the second carries the mark of busy neighbours; for each run
the wall time of the builds and of the measurements, each from the first job's start to the last one's end, the GPUs
used, and the pairs of jobs, one of them timed, that were on one GPU at the same time. Exits with 1 when there is such a
pair, or a ratio beyond 2% without a mark.
"""

import argparse
import sys
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow/scripts"))

from speedmap.results import records
from speedmap.results.accuracy import Accuracy
from speedmap.results.environment import Run
from speedmap.results.prepared import Engine, Verification
from speedmap.results.speed import Speed
from speedmap.results.timing_findings import OtherGpusBusy

KINDS = {"speed": Speed, "accuracy": Accuracy, "engine": Engine, "verify": Verification}
DONE = {"built": {"engine"}, "verified": {"verify"}, "measured": {"speed", "accuracy"}}
LIMIT = 0.02


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("one", type=Path)
    parser.add_argument("several", type=Path)
    options = parser.parse_args()
    unmarked = ratios(options.one, options.several)
    shared = [pair for folder in (options.one, options.several) for pair in summary(folder)]
    sys.exit(1 if unmarked or shared else 0)


def ratios(one: Path, several: Path) -> list[str]:
    """Print the medians of every cell that both runs have; returns the cells that differ and carry no mark."""
    unmarked = []
    print(f"{'cell':40} {'one ms':>9} {'several':>9} {'ratio':>7}  marked")
    for path in sorted(one.glob("*/*/speed.json")):
        other = several / path.relative_to(one)
        if not other.exists() or path.is_relative_to(one / "published"):
            continue
        alone, beside = (records.read(file, Speed) for file in (path, other))
        first, second = alone.summary.median_ms, beside.summary.median_ms
        marked = any(isinstance(warning, OtherGpusBusy) for warning in beside.warnings)
        print(f"{path.parent.relative_to(one)!s:40} {first:9.4f} {second:9.4f} {second / first:7.4f}  {marked}")
        if abs(second / first - 1) > LIMIT and not marked:
            unmarked.append(str(path.parent))
    return unmarked


@dataclass(frozen=True)
class Job:
    """A job of a run, and when it ran on which GPU."""

    name: str
    kind: str
    gpu: int | None
    start: datetime
    end: datetime

    @classmethod
    def of(cls, path: Path, kind: str, run: Run) -> "Job":
        index, moments = run.gpu and run.gpu.index, map(datetime.fromisoformat, (run.start, run.end))
        return cls(f"{path.parent.name}/{kind}", kind, index, *moments)

    @property
    def timed(self) -> bool:
        return self.kind == "speed"


def summary(folder: Path) -> list[tuple[Job, Job]]:
    """Print what a run took and on which GPUs; returns the pairs of jobs that should not have met."""
    runs = list(jobs(folder))
    shared = [pair for pair in combinations(runs, 2) if any(run.timed for run in pair) and overlap(*pair)]
    for done, kinds in DONE.items():
        if chosen := [run for run in runs if run.kind in kinds]:
            seconds = max(run.end for run in chosen) - min(run.start for run in chosen)
            used = sorted({run.gpu for run in chosen if run.gpu is not None})
            print(f"{folder}: {len(chosen)} jobs {done} in {seconds.total_seconds():.0f} s on GPUs {used}")
    print(f"{folder}: pairs with a timed job on one GPU at the same time: {len(shared)}")
    for first, second in shared:
        print(f"  GPU {first.gpu}: {first.name} with {second.name}")
    return shared


def jobs(folder: Path) -> list[Job]:
    """List what the records of a run say of its jobs."""
    return [
        Job.of(path, name, run)
        for name, kind in KINDS.items()
        for path in folder.glob(f"*/*/{name}*.json")
        for run in records.read(path, kind).runs
    ]


def overlap(first: Job, second: Job) -> bool:
    """Return whether two jobs were on one GPU at the same time."""
    same = first.gpu is not None and first.gpu == second.gpu
    return same and first.start < second.end and second.start < first.end


if __name__ == "__main__":
    main()
