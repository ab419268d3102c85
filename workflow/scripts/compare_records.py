"""Hold the records against those of a baseline."""

from dataclasses import asdict
from pathlib import Path

from speedmap.publishing import compare
from speedmap.results import records
from speedmap.results.cell_result import gather
from speedmap.run.job import job


def compare_records(paths: list[str], baseline_paths: list[str], baseline: str, limits: dict, out: str) -> None:
    """Write each figure's verdict; fails only where nothing can be compared."""
    before, after, bounds = gather(baseline_paths, Path(baseline)), gather(paths), compare.Limits(**limits)
    changes = compare.compare(before, after, bounds)
    facts = {"baseline": baseline, "limits": limits, "versions": compare.changed(before, after)}
    records.write(Path(out), {**facts, "changes": [asdict(change) for change in changes]})


if __name__ == "__main__":
    with job(snakemake.log[0]):
        compare_records(
            paths=list(snakemake.input.records),
            baseline_paths=list(snakemake.input.baseline),
            baseline=snakemake.params.baseline,
            limits=snakemake.params.limits,
            out=snakemake.output[0],
        )
