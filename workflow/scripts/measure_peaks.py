"""Measure what the device can do at most."""

from pathlib import Path

from speedmap.engines import registry
from speedmap.machine import gpu_lease
from speedmap.results import records
from speedmap.results.environment import Run
from speedmap.results.prepared import Peaks
from speedmap.run.job import run_step
from speedmap.timing import device_peaks


def measure_peaks(out: str) -> None:
    """Write results/peaks.json."""
    with gpu_lease.lease(registry.backend("torch").on_gpu, alone=True) as run:
        peaks = device_peaks.measure()
    records.write(Path(out), Peaks(**peaks, runs=[records.convert(run, Run)]))


if __name__ == "__main__":
    run_step(measure_peaks, snakemake)
