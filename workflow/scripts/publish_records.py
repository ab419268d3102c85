"""Copy the table and the records behind it to where they are committed."""

from pathlib import Path

from speedmap.errors.explain import job
from speedmap.publishing import publish


def main(paths: list[str], others: list[str], identity: dict, force: bool, manifest: str) -> None:
    """Fill a folder of results/published."""
    publish.publish(paths, others, Path(manifest).parent, identity, force)


if __name__ == "__main__":
    with job(snakemake.log[0]):
        main(
            list(snakemake.input.records),
            list(snakemake.input.others),
            snakemake.params.identity,
            snakemake.params.force,
            snakemake.output[0],
        )
