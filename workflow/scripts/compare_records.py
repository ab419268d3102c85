"""Hold the records against those of a baseline."""

from pathlib import Path
from typing import NamedTuple

from speedmap.publishing import ci_formats, compare
from speedmap.results import records
from speedmap.results.cell_result import gather
from speedmap.results.reported import Comparison, Limits
from speedmap.run.job import job


class Outputs(NamedTuple):
    """The files that a comparison is written to."""

    record: str
    junit: str
    badge: str


def compare_records(paths: list[str], baseline_paths: list[str], baseline: str, limits: dict, out: Outputs) -> None:
    """Write each figure's verdict, also as JUnit XML and as a badge; fails only where nothing can be compared."""
    before, after, bounds = gather(baseline_paths), gather(paths), Limits(**limits)
    changes, versions = compare.compare(before, after, bounds), compare.changed(before, after)
    record = Comparison(baseline=baseline, limits=bounds, versions=versions, changes=changes)
    records.write(Path(out.record), record)
    Path(out.junit).write_bytes(ci_formats.junit(record))
    Path(out.badge).write_text(ci_formats.badge(changes), "utf-8")


if __name__ == "__main__":
    with job(snakemake.log[0]):
        compare_records(
            paths=list(snakemake.input.records),
            baseline_paths=list(snakemake.input.baseline),
            baseline=snakemake.params.baseline,
            limits=snakemake.params.limits,
            out=Outputs(**dict(snakemake.output.items())),
        )
