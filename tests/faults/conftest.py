"""The run that faults are put into, and a table of them: FAULT_TABLE=faults.md python -m pytest tests/faults."""

import fcntl
import os
import shutil
from collections import Counter
from pathlib import Path

import pytest

from helpers.snakemake_run import prepare
from kill import faults, metrics, run

INJECTED, CAUGHT, SAID = Counter(), Counter(), {}


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """Finish the run once, for all workers; returns its folder, of which each test takes a copy."""
    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared
    folder = shared / "finished"
    with (shared / "finished.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "results/table.md").exists():
            assert faults(prepare(folder), run(folder), metrics(folder)) == []
    return folder


@pytest.fixture(scope="module")
def folder(finished, tmp_path_factory):
    """Return a working directory in which the run is finished."""
    return shutil.copytree(finished, tmp_path_factory.mktemp("run") / "folder", symlinks=True)


@pytest.fixture
def noted():
    """Note a fault as injected; once more, with what was said, as caught."""

    def note(fault, said=None):
        (INJECTED if said is None else CAUGHT)[fault] += 1
        SAID[fault] = said or SAID.get(fault, "")

    return note


def pytest_sessionfinish():
    if path := os.environ.get("FAULT_TABLE"):
        rows = [
            f"|{fault}|{times}|{CAUGHT[fault]}|{SAID[fault][:160].replace('|', ' ')}|"
            for fault, times in INJECTED.items()
        ]
        Path(path).write_text("\n".join(["|fault|injected|caught|message|", "|---|---|---|---|", *rows]) + "\n")
