"""How tests are spread, and files that they hold what is made against: tests/golden, rewritten by `pytest --fix`."""

import os
from pathlib import Path

import pytest

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
