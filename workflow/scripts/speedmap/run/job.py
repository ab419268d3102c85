"""What every job does around its step."""

import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from inspect import signature
from pathlib import Path
from typing import Any

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


def run_step(step: Callable[..., None], snakemake: Any, **more: Any) -> None:
    """Run a step as a job, with what it takes of the job's named inputs, outputs and parameters, and its log.

    What a step does not take is there for Snakemake alone. more: what the step takes under another name or form.
    """
    with job(snakemake.log[0]):
        sides = (snakemake.wildcards, snakemake.input, snakemake.output, snakemake.params)
        given = {name: value for side in sides for name, value in side.items()} | {"log": snakemake.log[0]} | more
        step(**{name: given[name] for name in signature(step).parameters if name in given})
