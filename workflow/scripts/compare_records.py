"""Hold the records against those of a baseline."""

from pathlib import Path

from speedmap.publishing import compare
from speedmap.results import records
from speedmap.results.cell_result import gather
from speedmap.results.reported import Comparison, Limits
from speedmap.run.job import job


def compare_records(paths: list[str], baseline_paths: list[str], baseline: str, limits: dict, out: str) -> None:
    """Write each figure's verdict; fails only where nothing can be compared."""
    before, after, bounds = gather(baseline_paths), gather(paths), Limits(**limits)
    changes, versions = compare.compare(before, after, bounds), compare.changed(before, after)
    records.write(Path(out), Comparison(baseline=baseline, limits=bounds, versions=versions, changes=changes))


if __name__ == "__main__":
    with job(snakemake.log[0]):
        compare_records(
            paths=list(snakemake.input.records),
            baseline_paths=list(snakemake.input.baseline),
            baseline=snakemake.params.baseline,
            limits=snakemake.params.limits,
            out=snakemake.output[0],
        )
