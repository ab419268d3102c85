"""Fetch the calibration images, one by one, from a data set too large to fetch whole."""

from pathlib import Path

from speedmap.dataset.calibration_images import fetch_images
from speedmap.run.job import job


def fetch_calibration(archive: Path, target: Path, source: dict) -> None:
    fetch_images(archive, source["member"], source["url"], source["count"], target)


if __name__ == "__main__":
    with job(snakemake.log[0]):
        fetch_calibration(
            archive=Path(snakemake.input[0]), target=Path(snakemake.output[0]), source=snakemake.params.source
        )
