"""Measure the speed and the mAP of YOLOv5 detectors before and after deployment."""

import sys
from types import TracebackType

__version__ = "0.1.0"  # in every record; CHANGELOG.md and CITATION.cff have it, too


def _explain(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print what ended a process before its job began, as a library that cannot be loaded does, in a last line."""
    sys.__excepthook__(kind, error, trace)
    if isinstance(error, Exception):
        from speedmap.errors import explain

        print(explain.explain(error), file=sys.stderr)


sys.excepthook = _explain
