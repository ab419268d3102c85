"""Copy the table and the records behind it to where they are committed, and make the index of all of them."""

from pathlib import Path

from speedmap.publishing import index
from speedmap.publishing.folders import Identity
from speedmap.publishing.publish import publish as fill_folder
from speedmap.run.job import run_step


def publish(
    paths: list[str], others: list[str], identity: Identity, force: bool, manifest: str, out: str, csv: str
) -> None:
    """Fill a folder of results/published, and write its README.md and index.csv."""
    fill_folder(paths, others, Path(manifest).parent, identity, force)
    index.write(Path(out), Path(csv))


if __name__ == "__main__":
    paths, identity = snakemake.input.records, Identity(**snakemake.params.identity)
    run_step(publish, snakemake, paths=paths, identity=identity, out=snakemake.output.index)
