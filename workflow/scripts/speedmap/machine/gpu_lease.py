"""Which of the host's GPUs a job has: held by locks that the kernel releases when the job ends, however it ends.

Each GPU has a file of locks. Byte 0 is held by who waits to be alone on the GPU, which keeps newcomers away; each of
the PLACES after it by one job. A job that must be alone holds all of these, a job that may share the first that is
free on the GPU with the fewest.
"""

import fcntl
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path

from speedmap.machine.nvml import NoGpu, Place, shown, visible

FOLDER = Path("/tmp")  # one for all users and runs of a host, unlike TMPDIR
SHARING = 64  # jobs on one GPU at most
PLACES = range(1, 1 + SHARING)  # theirs in its file
CHOOSING = 1 + SHARING  # the byte of who chooses, in the file of the first GPU: one job at a time counts the others
PAUSE_S = 0.2


@contextmanager
def lease(on_gpu: bool, alone: bool, folder: Path = FOLDER) -> Iterator[dict]:
    """Hold a GPU for as long as the block runs, and let this process see no other; wait for one if it must.

    on_gpu: whether the engine runs on one. alone: no other lease on the GPU, whoever holds it; else the GPU that the
    fewest jobs share.
    Yields what a record says of a run: `gpu` (index and uuid, None where the engine runs on none), `start`, and at the
    end `end`.
    """
    places = candidates() if on_gpu else []
    with _held(places, alone, folder) if places else nullcontext() as place:
        run = {"gpu": place and place._asdict(), "start": now()}
        try:
            yield run
        finally:
            run |= {"end": now()}


def now() -> str:
    """Return the time, in UTC to the microsecond."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def candidates() -> list[Place]:
    """List the GPUs that figures may come from: the first visible one and those like it, [] where there is none."""
    try:
        found = visible()
    except NoGpu:
        return []
    return [gpu.place() for gpu in found if gpu.identity() == found[0].identity()]


def left_out() -> str:
    """Return which visible GPUs are not used because the first one is of another model; "" for none."""
    try:
        found = visible()
    except NoGpu:
        return ""
    used = found[0].identity().gpu
    others = [f"GPU {gpu.place().index} ({name})" for gpu in found if (name := gpu.identity().gpu) != used]
    return f"{', '.join(others)}: not used beside {used}; choose by CUDA_VISIBLE_DEVICES" if others else ""


@contextmanager
def _held(places: list[Place], alone: bool, folder: Path) -> Iterator[Place]:
    """Hold one of some GPUs, and name no other in CUDA_VISIBLE_DEVICES from then on.

    Not even afterwards: CUDA goes on with what it saw first, and torch, which counts anew, would stumble over the rest.
    """
    file, place = _claim(places, alone, folder)
    if len(shown()) > 1:  # else the variable stays as it is: not every system takes a UUID
        os.environ["CUDA_VISIBLE_DEVICES"] = _label(place)
    try:
        yield place
    finally:
        os.close(file)


def _label(place: Place) -> str:
    """Name a GPU by its UUID; by its index where it has none."""
    return place.uuid or str(place.index)


def _claim(places: list[Place], alone: bool, folder: Path) -> tuple[int, Place]:
    """Wait for a GPU; returns the file that holds its lock while it is open, and which it is."""
    files = [_open(folder / f"speedmap-{_label(place)}.lock") for place in places]
    said = False
    while (chosen := _alone(files) if alone else _shared(files)) is None:
        if not said:
            print(f"waiting for one of {len(places)} GPUs: others hold them", file=sys.stderr, flush=True)
        said = True
        time.sleep(PAUSE_S)
    for file in set(files) - {files[chosen]}:
        os.close(file)
    return files[chosen], places[chosen]


def _open(path: Path) -> int:
    """Open a file of locks, which every user of the host may lock."""
    while True:
        try:
            return os.open(path, os.O_RDWR)
        except FileNotFoundError:
            try:
                file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
            except FileExistsError:  # another job was faster
                continue
            os.fchmod(file, 0o666)  # whatever the umask
            return file


def _alone(files: list[int]) -> int | None:
    """Take all of a GPU that nobody has, else the next that is free; None when others wait for all of them."""
    for index, file in enumerate(files):
        if _lock(file, 0, 1 + SHARING):
            return index
    for index, file in enumerate(files):
        if _lock(file, 0, 1):  # nobody new comes
            fcntl.lockf(file, fcntl.LOCK_EX, SHARING, 1)
            return index
    return None


def _shared(files: list[int]) -> int | None:
    """Take a place on the GPU with the fewest jobs, None when all are held, or wanted, by jobs that must be alone."""
    fcntl.lockf(files[0], fcntl.LOCK_EX, 1, CHOOSING)
    try:
        for index in sorted(range(len(files)), key=lambda index: _jobs(files[index])):
            if _lock(files[index], 0, 1, fcntl.LOCK_SH):  # nobody waits to be alone
                taken = any(_lock(files[index], place, 1) for place in PLACES)
                fcntl.lockf(files[index], fcntl.LOCK_UN, 1, 0)
                if taken:
                    return index
        return None
    finally:
        fcntl.lockf(files[0], fcntl.LOCK_UN, 1, CHOOSING)


def _jobs(file: int) -> int:
    """Count the jobs on a GPU that nobody has alone, by the places that this one cannot have."""
    free = [place for place in PLACES if _lock(file, place, 1)]
    fcntl.lockf(file, fcntl.LOCK_UN, SHARING, 1)
    return SHARING - len(free)


def _lock(file: int, start: int, length: int, kind: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.lockf(file, kind | fcntl.LOCK_NB, length, start)
    except OSError:  # held by another process
        return False
    return True
