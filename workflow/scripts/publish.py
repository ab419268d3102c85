"""Make the index of all that was published."""

from pathlib import Path

from speedmap import published_index, records
from speedmap.diagnose import job


def main(out: str) -> None:
    """Write results/published/README.md."""
    text = published_index.render(Path(out).parent)
    with records.atomic(Path(out)) as temporary:
        temporary.write_text(text)


if __name__ == "__main__":
    with job(snakemake.log[0]):
        main(snakemake.output[0])
