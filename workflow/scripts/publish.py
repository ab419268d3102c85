"""Copy the table and the records behind it to where they are committed, and make the index of all of them."""

from pathlib import Path

import pandas as pd

from speedmap import storage
from speedmap.publishing import index
from speedmap.publishing.publish import publish as fill_folder
from speedmap.run.job import job


def publish(
    paths: list[str], others: list[str], identity: dict, force: bool, manifest: str, out: str, csv: str
) -> None:
    """Fill a folder of results/published, and write its README.md and index.csv."""
    fill_folder(paths, others, Path(manifest).parent, identity, force)
    write_index(Path(out), Path(csv))


def write_index(out: Path, csv: Path) -> None:
    """List all that is published in the folder of `out`."""
    entries = index.entries(out.parent)
    with storage.atomic(csv) as temporary:
        pd.DataFrame(entries).to_csv(temporary, index=False)
    with storage.atomic(out) as temporary:
        temporary.write_text(index.render(entries), "utf-8")


if __name__ == "__main__":
    with job(snakemake.log[0]):
        publish(
            paths=list(snakemake.input.records),
            others=list(snakemake.input.others),
            identity=snakemake.params.identity,
            force=snakemake.params.force,
            manifest=snakemake.output.manifest,
            out=snakemake.output.index,
            csv=snakemake.output.csv,
        )
