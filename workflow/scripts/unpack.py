"""Unpack one file or one folder of a downloaded archive."""

from pathlib import Path

from speedmap.dataset import unzip
from speedmap.run.job import job


def unpack(archive: str, target: Path, member: str) -> None:
    unzip.unpack(Path(archive), member, target)


if __name__ == "__main__":
    with job(snakemake.log[0]):
        unpack(target=Path(snakemake.output[0]), **snakemake.params.source)
