"""Download one file and check its sha256."""

from pathlib import Path

from speedmap.dataset.download import fetch
from speedmap.errors.explain import job


def main(target: Path, source: dict) -> None:
    fetch(source["url"], target, source["sha256"])


if __name__ == "__main__":
    with job(snakemake.log[0]):
        main(Path(snakemake.output[0]), snakemake.params.source)
