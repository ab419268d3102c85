"""Copy the table and the records behind it to where they are committed."""

from pathlib import Path

from speedmap import published
from speedmap.diagnose import job


def main(paths: list[str], others: list[str], identity: dict, force: bool, manifest: str) -> None:
    """Fill a folder of results/published."""
    published.publish(paths, others, Path(manifest).parent, identity, force)


if __name__ == "__main__":
    with job(snakemake.log[0]):
        main(
            list(snakemake.input.records),
            list(snakemake.input.others),
            snakemake.params.identity,
            snakemake.params.force,
            snakemake.output[0],
        )
