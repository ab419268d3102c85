"""Fetch the calibration images, one by one, from a data set too large to fetch whole."""

from pathlib import Path

from speedmap.dataset.calibration_images import fetch_images
from speedmap.run.job import job


def fetch_calibration(archive: str, member: str, url: str, count: int, target: Path) -> None:
    fetch_images(Path(archive), member, url, count, target)


if __name__ == "__main__":
    with job(snakemake.log[0]):
        fetch_calibration(target=Path(snakemake.output[0]), **snakemake.params.source)
