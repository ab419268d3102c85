"""Hold the records against those of a baseline."""

from dataclasses import asdict
from pathlib import Path

from speedmap.errors.explain import job
from speedmap.publishing import compare
from speedmap.results import records
from speedmap.results.cell_result import gather


def main(paths: list[str], baseline_paths: list[str], baseline: str, limits: dict, out: str) -> None:
    """Write each figure's verdict; fails only where nothing can be compared."""
    before, after, bounds = gather(baseline_paths, Path(baseline)), gather(paths), compare.Limits(**limits)
    changes = compare.compare(before, after, bounds)
    facts = {"baseline": baseline, "limits": limits, "versions": compare.changed(before, after)}
    records.write(Path(out), {**facts, "changes": [asdict(change) for change in changes]})


if __name__ == "__main__":
    with job(snakemake.log[0]):
        main(
            list(snakemake.input.records),
            list(snakemake.input.baseline),
            snakemake.params.baseline,
            snakemake.params.limits,
            snakemake.output[0],
        )
