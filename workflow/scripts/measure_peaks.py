"""Measure what the device can do at most."""

from pathlib import Path

from speedmap import backends, gpus, peaks, records
from speedmap.diagnose import job


def main(out: str) -> None:
    """Write results/peaks.json."""
    with gpus.lease(backends.engine("torch"), alone=True) as run:
        found = peaks.measure()
    records.write(Path(out), found | {"runs": [run]})


if __name__ == "__main__":
    with job(snakemake.log[0]):
        main(snakemake.output[0])
