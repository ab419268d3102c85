"""Measure what the device can do at most."""

from pathlib import Path

from speedmap import peaks, records
from speedmap.diagnose import job


def main(out: str) -> None:
    """Write results/peaks.json."""
    records.write(Path(out), peaks.measure())


if __name__ == "__main__":
    with job(snakemake.log[0]):
        main(snakemake.output[0])
