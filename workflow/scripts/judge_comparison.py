"""Show a comparison, and fail where something became worse or is gone."""

from pathlib import Path

from speedmap import storage
from speedmap.publishing import compare, compare_page
from speedmap.results import records
from speedmap.results.reported import Comparison
from speedmap.run.job import run_step


def judge_comparison(comparison: str, out: str, log: str) -> None:
    """Write the page; when it fails the page stays in the log, since a failed job leaves no output."""
    record = records.read(Path(comparison), Comparison)
    text = compare_page.render(record)
    print(text)
    if compare.failed(record.changes):
        Path(log).write_text(text, "utf-8")
        raise SystemExit(1)
    with storage.atomic(Path(out)) as temporary:
        temporary.write_text(text, "utf-8")


if __name__ == "__main__":
    run_step(judge_comparison, snakemake)
