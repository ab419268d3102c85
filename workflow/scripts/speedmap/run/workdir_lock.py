"""How a run is ended from outside, what a killed one leaves behind, and when it is safe to take it away."""

import fcntl
import re
import shutil
import signal
import threading
from pathlib import Path
from typing import IO

ORPHAN = re.compile(r"\..+\.\d+\.part")  # what records.atomic was about to rename


def take_over(state: Path, results: Path, main: bool) -> IO | None:
    """Share the lock of a working directory, having cleaned up if nobody else had it; keep the file open for good.

    The system frees this lock when a process dies, however it dies. Snakemake's own locks outlive a killed run, so
    nobody alive means that they, and half-written files, are nobody's. state: Snakemake's folder. main: whether this is
    the process that plans; its jobs, maybe on other hosts, only hold the lock. Returns None where the file system has
    no such locks, or the folder is another user's: Snakemake then refuses to go on, and says how.
    """
    try:
        state.mkdir(exist_ok=True)
        file = (state / "alive").open("a")
    except OSError:
        return None
    try:
        if main and _alone(file):
            shutil.rmtree(state / "locks", ignore_errors=True)
            _remove_orphans(results)
        fcntl.flock(file, fcntl.LOCK_SH)  # may let go for a moment, in which this process has locked nothing yet
    except OSError:
        return file.close()
    return file


def terminate_without_deadlock() -> None:
    """Let SIGTERM's handler run in a thread of its own.

    Snakemake's takes the scheduler's lock. The thread that it interrupts may hold that lock, and would wait forever.
    """
    handler = signal.getsignal(signal.SIGTERM)
    if callable(handler):
        signal.signal(signal.SIGTERM, lambda *given: threading.Thread(target=handler, args=given).start())


def _alone(file: IO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _remove_orphans(results: Path) -> None:
    for path in results.rglob(".*.part"):
        if ORPHAN.fullmatch(path.name):
            path.unlink(missing_ok=True)
