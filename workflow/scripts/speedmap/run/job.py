"""What every job does around its step."""

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from speedmap.errors import UserError
from speedmap.errors.explain import explain
from speedmap.run import workdir_lock

MARK = "error: "  # begins the line that a failed job leaves, as explain writes it


def said(log: Path) -> str:
    """Return the message that a failed job left in its log, '' for none."""
    last = log.read_text("utf-8", errors="replace").rstrip().rpartition("\n")[2] if log.is_file() else ""
    return last.removeprefix(MARK) if last.startswith(MARK) else ""


@contextmanager
def job(log: str) -> Iterator[None]:
    """Run a step: what goes wrong is written to its log in full and to the terminal in one line, exit code 1."""
    path = Path(log)
    path.unlink(missing_ok=True)  # what an earlier attempt said is no longer true
    workdir_lock.share(Path(".snakemake"))
    try:
        yield
    except Exception as error:
        explained = explain(error)
        path.parent.mkdir(parents=True, exist_ok=True)
        meant = isinstance(error, UserError) and error.__cause__ is None  # for users, who need no more
        path.write_text(f"{explained}\n" if meant else f"{traceback.format_exc()}\n{explained}\n", "utf-8")
        print(explained, file=sys.stderr, flush=True)
        raise SystemExit(1) from None
