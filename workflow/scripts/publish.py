"""Make the index of all that was published."""

from pathlib import Path

import pandas as pd

from speedmap import storage
from speedmap.errors.explain import job
from speedmap.publishing import index


def main(out: str, csv: str) -> None:
    """Write results/published/README.md and index.csv."""
    found = index.entries(Path(out).parent)
    with storage.atomic(Path(csv)) as temporary:
        pd.DataFrame(found).to_csv(temporary, index=False)
    with storage.atomic(Path(out)) as temporary:
        temporary.write_text(index.render(found))


if __name__ == "__main__":
    with job(snakemake.log[0]):
        main(snakemake.output.index, snakemake.output.csv)
