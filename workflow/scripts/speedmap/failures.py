"""Why a cell has no figures: the last line of the log of the job that failed."""

from pathlib import Path

from speedmap.cells import Cell

MARK = "error: "  # begins the line that a failed job leaves
LOGS = ("read_weights/{model}", "export_onnx/{model}-{shape}", "calibrate/{model}", "choose_float/{model}-{backend}",
        "{backend}/{model}-{precision}-{shape}/*")  # fmt: skip


def of(cell: Cell, logs: Path = Path("logs")) -> tuple[str, ...]:
    """Give the message of the first job behind a cell that failed, () when none did."""
    for pattern in LOGS:
        for path in sorted(logs.glob(pattern.format(**vars(cell)) + ".log")):
            last = path.read_text(errors="replace").rstrip().rpartition("\n")[2]
            if last.startswith(MARK):
                return (last.removeprefix(MARK),)
    return ()
