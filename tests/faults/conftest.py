"""The run that faults are put into, and a table of them: FAULT_TABLE=faults.md python -m pytest tests/faults."""

import os
from collections import Counter
from pathlib import Path

import pytest

INJECTED, CAUGHT, SAID = Counter(), Counter(), {}


@pytest.fixture(scope="module")
def folder(copy_of_finished):
    """Return a working directory in which the run is finished."""
    return copy_of_finished()


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
