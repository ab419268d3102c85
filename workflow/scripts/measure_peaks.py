"""Measure what the device can do at most."""

from pathlib import Path

from speedmap.engines import registry
from speedmap.errors.explain import job
from speedmap.machine import gpu_lease
from speedmap.results import records
from speedmap.timing import device_peaks


def main(out: str) -> None:
    """Write results/peaks.json."""
    with gpu_lease.lease(registry.engine("torch"), alone=True) as run:
        found = device_peaks.measure()
    records.write(Path(out), found | {"runs": [run]})


if __name__ == "__main__":
    with job(snakemake.log[0]):
        main(snakemake.output[0])
