"""Let one step of the workflow fail: on this path in PYTHONPATH, with INJECT=step:fault in the environment.

A step fails when its first output is whole under its temporary name but not yet in place: at the worst moment.
"""

import errno
import os
import signal
import sys

FAULTS = {
    "disk": lambda _file: raising(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))),
    "quota": lambda _file: raising(OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))),
    "memory": lambda _file: raising(MemoryError()),
    "kill": lambda _file: os.kill(os.getpid(), signal.SIGKILL),
    "terminate": lambda _file: os.kill(os.getpid(), signal.SIGTERM),
}


def raising(error: BaseException) -> None:
    raise error


step, _, fault = os.environ.get("INJECT", "").partition(":")
if fault and any(argument.endswith(f".{step}.py") for argument in sys.orig_argv):
    os.fsync = FAULTS[fault]
