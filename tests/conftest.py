"""How tests are spread, the run that they share, and what they hold texts against: tests/golden, rewritten by --fix."""

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from helpers.snakemake_run import prepare
from kill import faults, metrics, run

GOLDEN = Path(__file__).parent / "golden"


def pytest_configure():
    """Give each of several workers a core: libraries that start a thread a core would wait for one another."""
    if worker := os.environ.get("PYTEST_XDIST_WORKER"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[int(worker.removeprefix("gw")) % len(cores)]})


def pytest_addoption(parser):
    parser.addoption("--fix", action="store_true", help="rewrite the files in tests/golden")


@pytest.fixture
def golden(request):
    """Hold a text against the golden file of a name."""

    def check(name, text):
        if request.config.option.fix:
            (GOLDEN / name).write_text(text, "utf-8")
        assert text == (GOLDEN / name).read_text("utf-8")

    return check


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


@pytest.fixture(scope="session")
def copy_of_finished(finished):
    """Return a maker of working directories in which the run is finished, as far from the sample as it was made."""

    def copied():
        folder = Path(tempfile.mkdtemp(dir=finished.parent))
        return shutil.copytree(finished, folder, symlinks=True, dirs_exist_ok=True)

    return copied
