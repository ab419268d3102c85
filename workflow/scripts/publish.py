"""Make the index of all that was published."""

from pathlib import Path

import pandas as pd

from speedmap import published_index, records
from speedmap.diagnose import job


def main(out: str, csv: str) -> None:
    """Write results/published/README.md and index.csv."""
    found = published_index.entries(Path(out).parent)
    with records.atomic(Path(csv)) as temporary:
        pd.DataFrame(found).to_csv(temporary, index=False)
    with records.atomic(Path(out)) as temporary:
        temporary.write_text(published_index.render(found))


if __name__ == "__main__":
    with job(snakemake.log[0]):
        main(snakemake.output.index, snakemake.output.csv)
