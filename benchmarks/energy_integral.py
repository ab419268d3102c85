r"""Check a speed record's energy with power samples that nvidia-smi took beside the run.

    TZ=UTC nvidia-smi -i 0 -lms 100 --format=csv,noheader,nounits \
        --query-gpu=timestamp,power.draw.instant,power.draw.average > power.csv &
    snakemake results/tensorrt/yolov5s-int8-static/speed.json --config 'speed={min_s: 20}'
    kill $!
    python benchmarks/energy_integral.py results/tensorrt/yolov5s-int8-static/speed.json power.csv

A record tells when its job held the GPU and for how many seconds it was watched, but not when in the job that was: the
window of so many seconds with the most energy is taken, since warming up is short and all else in a job draws less.
"""

import argparse
import csv
import logging
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow/scripts"))

from speedmap.results import records
from speedmap.results.speed import Speed

logging.basicConfig(format="%(message)s", level=logging.INFO)


def busiest(times: np.ndarray, watts: np.ndarray, seconds: float) -> float:
    """Return the mean power of the window of so many seconds that took the most energy, by the trapezoidal rule."""
    joules = np.concatenate([[0.0], np.cumsum(np.diff(times) * (watts[1:] + watts[:-1]) / 2)])
    starts = times[times <= times[-1] - seconds]
    if starts.size == 0:
        raise SystemExit(f"{times[-1] - times[0]:.1f} s of power samples in the job, {seconds:.1f} s are wanted")
    return float(np.max(np.interp(starts + seconds, times, joules) - np.interp(starts, times, joules)) / seconds)


def sampled(path: Path, start: str, end: str) -> tuple[np.ndarray, np.ndarray]:
    """Read nvidia-smi's samples between two moments of UTC; returns seconds [n] and watts [columns, n], NaN untold."""
    first, last = (datetime.fromisoformat(moment).timestamp() for moment in (start, end))
    lines = []
    with path.open() as file:
        for moment, *watts in csv.reader(file):
            taken = datetime.strptime(moment, "%Y/%m/%d %H:%M:%S.%f").replace(tzinfo=UTC).timestamp()
            if first <= taken <= last:
                lines.append([taken - first, *(np.nan if "[" in each else float(each) for each in watts)])
    table = np.array(lines, ndmin=2).T
    return table[0], table[1:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("record", type=Path)
    parser.add_argument("power", type=Path)
    args = parser.parse_args()
    record = records.read(args.record, Speed)
    energy, run = record.watch.energy, record.runs[0]
    if energy is None:
        raise SystemExit(f"{args.record}: no energy was recorded")
    mean = energy.joules / energy.seconds
    logging.info("%s: %.0f J in %.2f s by %s, %.1f W", args.record, energy.joules, energy.seconds, energy.by, mean)
    times, columns = sampled(args.power, run.start, run.end)
    for name, watts in zip(("nvidia-smi's first column", "its second"), columns, strict=False):
        other = busiest(times, watts, energy.seconds)
        logging.info("%s, %d samples: %.1f W, %+.1f%%", name, len(watts), other, 100 * (mean / other - 1))
    own = [(sample["at_s"], sample["power_w"]) for sample in record.watch.samples if sample.get("power_w")]
    if len(own) > 1:
        at, watts = np.array(own).T
        other = float(np.trapezoid(watts, at) / (at[-1] - at[0]))
        logging.info("the record's own %d power samples: %.1f W, %+.1f%%", len(own), other, 100 * (mean / other - 1))


if __name__ == "__main__":
    main()
