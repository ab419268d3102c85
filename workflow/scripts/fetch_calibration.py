"""Fetch the calibration images, one by one, from a data set too large to fetch whole."""

from pathlib import Path

from speedmap.dataset.calibration_images import fetch_images
from speedmap.errors.explain import job


def main(archive: Path, target: Path, source: dict) -> None:
    fetch_images(archive, source["member"], source["url"], source["count"], target)


if __name__ == "__main__":
    with job(snakemake.log[0]):
        main(Path(snakemake.input[0]), Path(snakemake.output[0]), snakemake.params.source)
