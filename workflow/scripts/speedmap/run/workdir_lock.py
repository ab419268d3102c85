"""How a run is ended from outside, what a killed one leaves behind, and when it is safe to take it away."""

import fcntl
import os
import re
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import IO

from speedmap.errors import UserError

NAME = "alive"  # of the file in Snakemake's folder that is locked
LOCKS = Path("/proc/locks")  # of Linux
HELD: list[IO] = []  # open, and so locked, until this process ends
ORPHAN = re.compile(r"\..+\.\d+\.part")  # what storage.atomic was about to rename


class LockError(UserError):
    """A working directory that another run holds; the message says what to do."""


def take(state: Path, results: Path) -> None:
    """Take the lock of a working directory for as long as this process lives, and clean up what a dead run left.

    The system frees this lock when a process dies, however it dies; the run's jobs share it. Nobody alive thus means
    that half-written files are nobody's. Where the file system has no such locks that is said, and the run goes on.
    state: Snakemake's folder. Raises LockError when another run, or a job of one, lives, or the folder is not writable.
    """
    try:
        file = (state / NAME).open("a")
    except OSError as error:
        raise LockError(f"{state / NAME}: cannot be written ({error.strerror}); run as its owner") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _remove_orphans(results)
        fcntl.flock(file, fcntl.LOCK_SH)  # may let go for a moment, in which this process has begun nothing yet
        HELD.append(file)
    except BlockingIOError as error:
        others = f" (process {numbers})" if (numbers := ", ".join(_holders(file))) else ""
        raise LockError(
            f"{Path.cwd()}: another run, or a job of one, works here{others}; wait for it, or end it"
        ) from error
    except OSError as error:
        print(f"{Path.cwd()}: no locks on this file system ({error.strerror}); let no other run work here",
              file=sys.stderr)  # fmt: skip


def share(state: Path) -> None:
    """Let a job hold its run's lock, too, so that no other run begins before it ends, whatever becomes of its own."""
    with suppress(OSError):
        file = (state / NAME).open()
        fcntl.flock(file, fcntl.LOCK_SH)
        HELD.append(file)


def terminate_without_deadlock() -> None:
    """Let SIGTERM's handler run in a thread of its own.

    Snakemake's takes the scheduler's lock. The thread that it interrupts may hold that lock, and would wait forever.
    """
    handler = signal.getsignal(signal.SIGTERM)
    if callable(handler):
        signal.signal(signal.SIGTERM, lambda *given: threading.Thread(target=handler, args=given).start())


def _holders(file: IO) -> list[str]:
    """Name the processes that hold a file's lock and live; none where the system does not list locks."""
    listed = LOCKS.read_text() if LOCKS.exists() else ""
    numbers = re.findall(rf"FLOCK +ADVISORY +\w+ +(\d+) \S+:{os.fstat(file.fileno()).st_ino} ", listed)
    return [number for number in numbers if (LOCKS.parent / number).exists()]


def _remove_orphans(results: Path) -> None:
    for path in results.rglob(".*.part"):
        if ORPHAN.fullmatch(path.name):
            path.unlink(missing_ok=True)
