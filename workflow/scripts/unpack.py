"""Unpack one file or one folder of a downloaded archive."""

from pathlib import Path

from speedmap.dataset import unzip
from speedmap.run.job import job


def unpack(archive: Path, target: Path, source: dict) -> None:
    unzip.unpack(archive, source["member"], target)


if __name__ == "__main__":
    with job(snakemake.log[0]):
        unpack(archive=Path(snakemake.input[0]), target=Path(snakemake.output[0]), source=snakemake.params.source)
