"""Open files from strangers, each in a fork of its own, and report what became of it; paths come on stdin.

Answers with one JSON line a file: exit code, what it said, CPU seconds, peak MiB, and whatever else it tried to do.
"""

import json
import os
import resource
import sys
from pathlib import Path

from speedmap.model import weights
from speedmap.run.job import job

CLASSES = ["a", "b", "c"]
MIB = 2**20
FORBIDDEN = ("os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.putenv", "os.remove", "os.rmdir",
             "os.chmod", "os.link", "os.symlink", "subprocess.Popen", "socket.", "shutil.", "ctypes.", "pty.spawn",
             "webbrowser.", "urllib.", "os.kill", "os.rename")  # fmt: skip


def watch(allowed: Path, seen: list[str]) -> None:
    """Note from now on every event that is no reading of files."""

    def note(event: str, arguments: tuple) -> None:
        if event.startswith(FORBIDDEN) and not inside(arguments, allowed):
            seen.append(f"{event} {arguments}"[:200])
        if event == "open" and writes(arguments) and not inside(arguments, allowed):
            seen.append(f"open {arguments}"[:200])

    sys.addaudithook(note)


def writes(arguments: tuple) -> bool:
    flags = arguments[2] or 0
    return bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC))


def inside(arguments: tuple, allowed: Path) -> bool:
    if not arguments or not isinstance(arguments[0], str | bytes | os.PathLike):
        return False
    return Path(os.fsdecode(arguments[0])).absolute().is_relative_to(allowed)


def attempt(file: Path, said: int) -> None:
    """Read one file as the rule read_weights does; ends the process."""
    os.dup2(said, 2)
    folder, seen = file.parent / "out", []
    folder.mkdir()
    watch(folder, seen)
    code = 0
    try:
        with job(str(folder / "log")):
            weights.normalise("yolov5s", str(file), CLASSES, folder / "weights.safetensors")
    except SystemExit as end:
        code = int(end.code)
    os.write(2, f"\n{json.dumps(seen)}".encode())
    os._exit(code)


def fork(file: Path) -> dict:
    """Let a fork read a file, and gather what it said, took and did."""
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(readable)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        attempt(file, writable)
    os.close(writable)
    with os.fdopen(readable) as pipe:
        text = pipe.read()
    _pid, status, usage = os.wait4(child, 0)
    said, _, seen = text.rpartition("\n")
    return {"code": os.waitstatus_to_exitcode(status), "said": said.strip(), "seen": seen,
            "seconds": usage.ru_utime + usage.ru_stime, "mib": usage.ru_maxrss * 1024 / MIB}  # fmt: skip


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(fork(Path(line.strip()))), flush=True)
