"""A run is killed, and the same command finishes it; tests/faults/kill.py does this more often."""

import signal
import subprocess
import sys

import pytest

from kill import PATIENCE, attempt, command, faults, kill, metrics, missing, run

# Snakemake, which gets SIGTERM in its main thread while that holds the scheduler's lock
STRUCK = """
import os, signal, sys
from snakemake.cli import main
from snakemake.scheduling.job_scheduler import JobScheduler

finish = JobScheduler._finish_jobs

def struck(self):
    if self._lock.locked():
        os.kill(os.getpid(), signal.SIGTERM)
    finish(self)

JobScheduler._finish_jobs = struck
main(sys.argv[1:])
"""
LONGEST = 20  # seconds; the run of the small config takes about as long
pytestmark = pytest.mark.workflow


def test_killed_runs_are_finished_by_the_same_command(folder, noted):
    undisturbed = metrics(folder)
    for number in (1, 2):  # put back by some jobs; test_steps kills one that has almost all before it
        noted("SIGKILL of the whole run")
        assert attempt(folder, number, seed=1, longest=LONGEST, expected=undisturbed).faults == []
        noted("SIGKILL of the whole run", "none; the same command ends with the table")


def test_a_terminated_run_is_finished_by_the_same_command(folder):
    expected = metrics(folder)
    for path in (folder / "results/openvino").rglob("*.json"):
        path.unlink()
    (folder / "results/table.md").unlink()
    assert kill(folder, 3, signal.SIGTERM)
    if (folder / "results/table.partial.md").exists():  # of what there was
        assert missing(folder, "table.partial.md")
    assert faults(folder, run(folder), expected) == []


def test_a_run_that_is_terminated_while_it_schedules_ends(folder):
    (folder / "results/table.md").unlink()
    given = [sys.executable, "-c", STRUCK, *command(folder)[3:]]
    ended = subprocess.run(given, capture_output=True, text=True, timeout=PATIENCE)
    assert ended.returncode == 1
    assert "Will exit after finishing currently running jobs" in ended.stderr
    assert faults(folder, run(folder), metrics(folder)) == []
