"""Download a file, or take what a downloaded archive holds, or fetch the images that it lists."""

from pathlib import Path

from speedmap.dataset import calibration_images, download, unzip
from speedmap.run.job import run_step
from speedmap.run.settings import Source


def fetch(source: Source, archive: str | None, target: str) -> None:
    """Write a file or a folder, whole or not at all."""
    if archive is None:
        download.fetch(source.url, Path(target), source.sha256)
    elif source.count is None:
        unzip.unpack(Path(archive), source.member, Path(target))
    else:
        calibration_images.fetch_images(Path(archive), source.member, source.url, source.count, Path(target))


if __name__ == "__main__":
    source, archive = Source(**snakemake.params.source), next(iter(snakemake.input), None)
    run_step(fetch, snakemake, source=source, archive=archive)
