"""Turn whatever ends a job into one line that a person can act on."""

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from speedmap.errors import UserError


@contextmanager
def job(log: str) -> Iterator[None]:
    """Run a job: what goes wrong is written to its log in full and to the terminal in one line, exit code 1."""
    path = Path(log)
    path.unlink(missing_ok=True)  # what an earlier attempt said is no longer true
    try:
        yield
    except Exception as error:
        explained = explain(error)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(traceback.format_exc() + f"\n{explained}\n")
        print(explained, file=sys.stderr, flush=True)
        raise SystemExit(1) from None


def explain(error: Exception) -> str:
    """Say in one line what an error means: its own message if that is meant for users, else its type and message."""
    if isinstance(error, UserError):
        return f"error: {error}"
    return f"error: unexpected {type(error).__name__}: {error}"
