"""What a run does when it starts and when it ends."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from speedmap.engines import registry
from speedmap.errors import UserError, explain
from speedmap.machine import gpu_lease
from speedmap.run import workdir_lock
from speedmap.run.settings import Settings
from speedmap.run.terminal import OURS

HISTORY = ("metadata/*", "metadata.db")  # what Snakemake made from what, in its folder: in files, or in its data base
PARTIAL = Path("results/table.partial.md")


@contextmanager
def refusing() -> Iterator[None]:
    """End the run with one line where a user has something to mend.

    Of an exception Snakemake would print where in the workflow it came up, around what it says.
    """
    try:
        yield
    except UserError as error:
        sys.exit(explain.explain(error))


def without_history() -> str:
    """Return what to do about results whose origin Snakemake does not know, so that any seem right; "" for none."""
    known = any(any(Path(".snakemake").glob(pattern)) for pattern in HISTORY)
    if known or not Path("results/dataset.json").exists():
        return ""
    return ("results/ is here without its history in .snakemake, so that nobody can tell whether it is of this config "
            "and these images; move it away, or give --forceall")  # fmt: skip


def demand_writable() -> None:
    """Raise UserError where this user may not write what a run writes."""
    for folder in map(Path, (".", ".snakemake", "results", "logs")):
        if folder.is_dir() and not os.access(folder, os.W_OK):
            raise UserError(f"{folder.resolve()}: you may not write there; change its owner or mode, or run elsewhere")


def begin(config: Settings, backend: str | None, dag) -> None:
    """Refuse to run beside another run or without the backend, and take away what a dead run left.

    backend: None where jobs run in other environments or on other machines. dag: Snakemake's. Raises UserError.
    """
    workdir_lock.take(Path(".snakemake"), Path("results"))
    workdir_lock.terminate_without_deadlock()
    forget_partial_table()
    for job in dag.needrun_jobs():  # what the logs of an earlier run say is no longer true
        for log in job.log:
            Path(log).unlink(missing_ok=True)
    if backend:
        remarks = registry.check_usable(config.backend, backend)
        if config.torch:
            registry.check_torch(backend)
        if backend == "tensorrt":
            remarks.append(gpu_lease.left_out())
        for remark in filter(None, remarks):
            OURS.warning(remark)


def finish(speeds: list[str], dag) -> None:
    """Say at the end of a run which of its speeds were disturbed, and what to do about it.

    speeds: records of the whole table, of which those count that the run was for. dag: Snakemake's.
    """
    from speedmap.run import advice  # needs what a plan does not

    forget_partial_table()
    wanted = {str(path) for job in dag.jobs for path in job.output}
    for line in advice.advise([path for path in speeds if path in wanted], sys.argv):
        OURS.warning(line)


def forget_partial_table() -> None:
    """Delete the table of a run that failed."""
    PARTIAL.unlink(missing_ok=True)


def fail(config: Settings, backend: str, dag, logs: list[str]) -> None:
    """Tabulate what a failed run has, and explain the jobs that were killed and could not explain themselves."""
    from speedmap.run import failed_run  # needs what a plan does not

    missing = failed_run.unmade(dag)
    if "results/table.md" in missing:
        failed_run.write(config.planned(backend), missing, config.experiment, backend, PARTIAL)
        if PARTIAL.exists():
            OURS.warning(f"{PARTIAL} has what was measured, and says why the rest was not")
    for log in logs:
        for line in explain.killed(Path(log).read_text("utf-8", errors="replace")):
            OURS.warning(line)
