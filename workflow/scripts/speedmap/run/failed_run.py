"""The table of a run that failed: the figures that it has, and for the others the reason."""

from dataclasses import replace
from pathlib import Path

from speedmap import storage
from speedmap.reporting.table import render
from speedmap.results import checks, records
from speedmap.results.cell import Cell
from speedmap.results.cell_result import CellResult, gather
from speedmap.results.findings import Finding, JobFailed, NotVerified
from speedmap.results.inventory import Dataset
from speedmap.results.prepared import Verification
from speedmap.results.reported import Experiment
from speedmap.run import job

PARTIAL = "Not complete, since the run failed: the same command goes on, and makes this table again."
DATASET = "results/dataset.json"


def write(cells: list[Cell], missing: dict[str, list[str]], config: dict, backend: str, table: Path) -> None:
    """Tabulate what a failed run has made or found up to date; other cells show the reason. Nothing without a figure.

    missing: files that it should have made and has not, with the logs behind them. config: of the experiment.
    """
    if DATASET in missing:
        return
    data, experiment = records.read(Path(DATASET), Dataset), records.convert(config, Experiment)
    paths = [f"{cell.folder}/{path}" for cell in cells for path in sorted(_recorded(cell))]
    rows = gather([path for path in paths if path not in missing and checks.sound(path, data)])
    found = {row.cell: row for row in rows if row.speed or row.accuracy}
    if found:
        rows = [explained(found.get(cell, CellResult(cell, None, None, None)), missing) for cell in cells]
        with storage.atomic(table) as temporary:
            temporary.write_text(f"{PARTIAL}\n\n{render(rows, experiment, data, backend)}", "utf-8")


def _recorded(cell: Cell) -> list[str]:
    return [path.name for path in Path(cell.folder).glob("*.json") if path.name.startswith(("speed.", "accuracy."))]


def unmade(dag) -> dict[str, list[str]]:
    """Return each file that a run should have made and has not, with the logs of the jobs behind it that did not end.

    dag: Snakemake's. What lies at such a path, if anything, is of an earlier run, maybe with another config.
    """
    jobs = set(dag.needrun_jobs())  # without those that ended
    behind = {job: [other for other in dag.bfs(dag.dependencies, job) if other in jobs] for job in jobs}
    logs = {job: [str(log) for other in others for log in other.log] for job, others in behind.items()}
    return {str(path): logs[job] for job in jobs for path in job.output}


def explained(row: CellResult, missing: dict[str, list[str]]) -> CellResult:
    """Note in a row why it has no speed or no mAP, and take away the mAP of an engine that is not verified, or invalid.

    missing: files that were not made, with the logs behind them.
    """
    if row.accuracy and (doubts := _doubts(row.cell, missing)):
        row = replace(row, accuracy=None, failed=(*row.failed, *doubts))
    paths = [f"{row.cell.folder}/{kind}.json" for kind in ("speed", "accuracy")]
    reasons = [JobFailed(said) for path in paths for log in missing.get(path, ()) if (said := job.said(Path(log)))]
    return replace(row, failed=(*row.failed, *dict.fromkeys(reasons)))


def _doubts(cell: Cell, missing: dict[str, list[str]]) -> list[Finding]:
    """Return why a cell's engine is not to be believed; [] when it is, or is torch."""
    verified = Path(cell.folder, "verify.json")
    if cell.backend != "torch" and str(verified) in missing:
        return [NotVerified()]
    return records.read(verified, Verification).audit.invalid if verified.exists() else []
