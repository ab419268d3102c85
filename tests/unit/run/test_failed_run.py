from collections import defaultdict
from types import SimpleNamespace

import pytest
import snakemake.api

from helpers.record_factory import accuracy, verification, write
from speedmap.results.cell import Cell
from speedmap.results.cell_result import CellResult
from speedmap.results.findings import JobFailed, WrongPrecision
from speedmap.run import failed_run

CELL = Cell("openvino", "a-b", "int8", "static")
SPEED, ACCURACY = f"{CELL.folder}/speed.json", f"{CELL.folder}/accuracy.json"


@pytest.fixture
def log(tmp_path):
    """Write a log; returns its path."""

    def write(text):
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.log"
        path.write_text(text)
        return str(path)

    return write


def plan(jobs, ended=()):
    """Make a graph of jobs, each with a file and a log of its name; jobs: what each depends on."""
    made = {name: Job(output=[f"{name}.json"], log=[f"{name}.log"]) for name in jobs}
    dependencies = defaultdict(dict, {made[name]: {made[other]: set() for other in jobs[name]} for name in jobs})
    unfinished = [job for name, job in made.items() if name not in ended]
    return SimpleNamespace(
        needrun_jobs=lambda: iter(unfinished),
        dependencies=dependencies,
        bfs=lambda *given: snakemake.dag.DAG.bfs(None, *given),
    )


class Job(SimpleNamespace):
    __hash__ = object.__hash__


def test_a_file_is_unmade_for_the_jobs_behind_it_that_did_not_end():
    jobs = {"weights": [], "export": ["weights"], "speed": ["export"], "torch": ["weights"], "other": []}
    assert failed_run.unmade(plan(jobs, ended=["weights", "other"])) == {
        "export.json": ["export.log"],
        "speed.json": ["speed.log", "export.log"],
        "torch.json": ["torch.log"],
    }


def test_the_last_line_of_a_failed_job_is_its_reason(log):
    missing = {SPEED: [log("Traceback ...\n\nerror: too few images\n")], ACCURACY: [log("fine\n")]}
    assert failed_run.explained(CellResult(CELL, None, None, None), missing).failed == (JobFailed("too few images"),)


def test_a_reason_stands_once_and_only_at_what_it_is_behind(log):
    failed = log("error: too few images")
    missing = {SPEED: [failed], ACCURACY: [failed, "never/begun.log"], f"{CELL.folder}/speed.2.json": [log("error: b")]}
    assert failed_run.explained(CellResult(CELL, None, None, None), missing).failed == (JobFailed("too few images"),)
    other = CellResult(Cell("openvino", "a-b", "fp16", "static"), None, None, None)
    assert failed_run.explained(other, missing) == other


@pytest.mark.parametrize(("backend", "verified", "left"), [
    ("openvino", verification(), True), ("openvino", None, False), ("torch", None, True),
    ("openvino", verification(WrongPrecision("int8", {"fp32": 1.0})), False),
])  # fmt: skip
def test_the_map_of_an_engine_that_is_not_verified_or_invalid_is_not_shown(
    tmp_path, monkeypatch, backend, verified, left
):
    monkeypatch.chdir(tmp_path)
    cell = Cell(backend, "a", "int8", "static")
    path = tmp_path / cell.folder / "verify.json"
    if verified:
        write(path, verified)
    missing = {} if verified else {f"{cell.folder}/verify.json": []}
    row = failed_run.explained(CellResult(cell, None, accuracy(cell), None), missing)
    assert (row.accuracy is not None) == left
    assert bool(row.failed) != left
