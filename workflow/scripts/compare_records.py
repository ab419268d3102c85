"""Hold the records against those of a baseline."""

from pathlib import Path

from speedmap.publishing import ci_formats, compare
from speedmap.results import records
from speedmap.results.cell_result import gather
from speedmap.results.reported import Comparison, Limits
from speedmap.run.job import run_step


def compare_records(
    paths: list[str], baseline_paths: list[str], baseline: str, limits: dict, record: str, junit: str, badge: str
) -> None:
    """Write each figure's verdict, also as JUnit XML and as a badge; fails only where nothing can be compared."""
    before, after, bounds = gather(baseline_paths), gather(paths), Limits(**limits)
    changes, versions = compare.compare(before, after, bounds), compare.changed(before, after)
    comparison = Comparison(baseline=baseline, limits=bounds, versions=versions, changes=changes)
    records.write(Path(record), comparison)
    Path(junit).write_bytes(ci_formats.junit(comparison))
    Path(badge).write_text(ci_formats.badge(changes), "utf-8")


if __name__ == "__main__":
    run_step(compare_records, snakemake, paths=snakemake.input.records)
