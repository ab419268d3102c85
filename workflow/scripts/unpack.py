"""Unpack one file or one folder of a downloaded archive."""

from pathlib import Path

from speedmap.dataset.unzip import unpack
from speedmap.errors.explain import job


def main(archive: Path, target: Path, source: dict) -> None:
    unpack(archive, source["member"], target)


if __name__ == "__main__":
    with job(snakemake.log[0]):
        main(Path(snakemake.input[0]), Path(snakemake.output[0]), snakemake.params.source)
