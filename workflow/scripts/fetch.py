"""Download one file and check its sha256."""

from pathlib import Path

from speedmap.dataset import download
from speedmap.run.job import job


def fetch(target: Path, source: dict) -> None:
    download.fetch(source["url"], target, source["sha256"])


if __name__ == "__main__":
    with job(snakemake.log[0]):
        fetch(target=Path(snakemake.output[0]), source=snakemake.params.source)
