"""Measure disturbed cells again, behind all others."""

from functools import partial
from pathlib import Path

from measure_speed import measure_speed
from measure_speedup import measure_speedup
from speedmap.reporting.footnotes import words
from speedmap.results import records
from speedmap.results.reported import Again
from speedmap.run.job import run_step
from speedmap.timing import again


def measure_again(timed: list[str], dataset: str, image_set: str, seconds: float, out: str) -> None:
    """Put less disturbed records in the place of disturbed ones, and write what became of each."""
    steps = {"measure_speed": measure_speed, "measure_speedup": measure_speedup}
    measure = partial(again.in_own_process, steps)
    noise = partial(again.disturbances, words)
    data = {"dataset": dataset, "image_set": image_set}
    results = again.again(list(map(Path, timed)), data, seconds, measure, noise)
    records.write(Path(out), Again(seconds=seconds, cells=results))


if __name__ == "__main__":
    run_step(measure_again, snakemake, timed=[*snakemake.input.speeds, *snakemake.input.speedups])
