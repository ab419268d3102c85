"""Show a comparison, and fail where something became worse or is gone."""

import sys
from pathlib import Path

from speedmap import storage
from speedmap.publishing import compare, compare_page
from speedmap.results import records
from speedmap.results.reported import Comparison
from speedmap.run.job import MARK, run_step


def judge_comparison(comparison: str, out: str, log: str) -> None:
    """Write the page; when it fails the page stays in the log, since a failed job leaves no output."""
    record = records.read(Path(comparison), Comparison)
    text = compare_page.render(record)
    print(text)
    if compare.failed(record.changes):
        bad = compare_page.counted(record.changes, [one for one in compare.ORDER if one in compare.BAD])
        said = f"{MARK}worse than {record.baseline}: {bad}"
        Path(log).write_text(f"{text}\n{said}\n", "utf-8")
        print(said, file=sys.stderr, flush=True)
        raise SystemExit(1)
    with storage.atomic(Path(out)) as temporary:
        temporary.write_text(text, "utf-8")


if __name__ == "__main__":
    run_step(judge_comparison, snakemake)
