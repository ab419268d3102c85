"""Download one file and check its sha256."""

from pathlib import Path

from speedmap.dataset import download
from speedmap.run.job import job


def fetch(target: Path, url: str, sha256: str) -> None:
    download.fetch(url, target, sha256)


if __name__ == "__main__":
    with job(snakemake.log[0]):
        fetch(target=Path(snakemake.output[0]), **snakemake.params.source)
