"""Why a cell has no figures: the last lines of the logs of the jobs that failed."""

from dataclasses import replace
from pathlib import Path

from speedmap.cells import Cell
from speedmap.row import Row

PARTIAL = "Not complete, since the run failed: the same command goes on, and makes this table again."
MARK = "error: "  # begins the line that a failed job leaves
LOGS = (
    "read_weights/{model}",
    "export_onnx/{model}-{shape}",
    "{backend}/{model}-{precision}-{shape}/detect/*-of-*[0-9]",
    "{backend}/{model}-{precision}-{shape}/*",
)
LOGS_INT8 = ("calibrate/{model}", "choose_float/{model}-{backend}")
# Jobs whose failure voids their own record only:
MEASURED = {"measure_speed": "speed", "detect": "accuracy", "measure_accuracy": "accuracy"}


def of(cell: Cell, logs: Path = Path("logs")) -> dict[str, str]:
    """Give the message of each job behind a cell that failed, by the job's name."""
    found = {}
    for pattern in (*LOGS, *(LOGS_INT8 if cell.precision == "int8" else ())):
        for path in sorted(logs.glob(pattern.format(**vars(cell)) + ".log")):
            last = path.read_text(errors="replace").rstrip().rpartition("\n")[2]
            name = path.stem if pattern.endswith("*") else path.parent.name
            if last.startswith(MARK) and name.isidentifier():  # of build_engine.2 only the spread of builds depends
                found[name] = last.removeprefix(MARK)
    return found


def void(row: Row, failed: dict[str, str]) -> Row:
    """Take from a row the records of earlier runs that a failure has made worthless, and note the reasons."""
    if failed.keys() - MEASURED.keys():
        row = Row(row.cell, None, None, None)
    missing = {MEASURED[job]: None for job in failed if job in MEASURED}
    return replace(row, failed=(*row.failed, *failed.values()), **missing)


def forget_partial(table: Path) -> None:
    """Delete the table of a run that failed, since Snakemake would take it for what the rule has made, and be done."""
    if table.exists() and table.read_text(errors="replace").startswith(PARTIAL):
        table.unlink()
