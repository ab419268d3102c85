"""Publish, compare and keep a history in the shell, on hand-made records of a run that never was."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from helpers.record_factory import accuracy, choice, dataset, engine, speed, speedup, verification
from helpers.snakemake_run import MINI, overlay, prepare, run
from speedmap.machine import environment
from speedmap.results import records
from speedmap.results.cell import Cell
from speedmap.results.speed import Speed
from speedmap.timing import stats

CONFIG = {"backend": "openvino", "shapes": ["static"], "batches": [1, 8], "torch": False, "models": {"yolov5s": MINI}}
FP16, INT8 = (Cell("openvino", "yolov5s", precision, "static") for precision in ("fp16", "int8"))
# rules that need nothing but records
AFTER = ("render_table", "compare_records", "judge_comparison", "record_history", "publish")
pytestmark = pytest.mark.workflow


def write(results, cell, median):
    """Write all records of a cell that takes `median` milliseconds, give or take 1%."""
    drawn = np.random.default_rng(0).normal(1, 0.01, 400)
    samples = list(map(float, median * drawn / np.median(drawn)))
    facts = {"cpu": environment.cpu_name(), "platform": environment.cpu_platform("openvino")}
    timed = speed(cell, **facts)
    timed.samples_ms, timed.shapes, timed.summary = samples, ["640x640"] * 400, stats.summary(samples, 0.0)
    folder = results / "openvino" / cell.name
    records.write(folder / "speed.json", timed)
    if cell.batch == 1:
        records.write(folder / "accuracy.json", accuracy(cell, **facts))
    records.write(folder / "engine.json", engine())
    records.write(folder / "verify.json", verification())
    if cell.precision == "int8":
        records.write(folder / "speedup.json", speedup(cell))


def run_in(folder):
    """Make a runner of targets in a folder; it returns (exit code, output)."""

    def run_here(*target, **changes):
        options = ("--rerun-triggers", "input", *overlay(folder, {**CONFIG, **changes}), "--allowed-rules", *AFTER)
        return run(folder, *options, *target, cores=1)

    return run_here


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A folder with two measured cells, the same in batches, and the sample."""
    folder = prepare(tmp_path_factory.mktemp("measured"))
    for cell in (FP16, INT8, replace(FP16, batch=8), replace(INT8, batch=8)):
        write(folder / "results", cell, 10.0)
    records.write(folder / "results/dataset.json", dataset())
    records.write(folder / "results/calibration/yolov5s-openvino.json", choice())
    return folder


@pytest.fixture(scope="module")
def once_published(measured, tmp_path_factory):
    folder = shutil.copytree(measured, tmp_path_factory.mktemp("published") / "run", symlinks=True)
    code, output = run_in(folder)("--", "publish")
    assert code == 0, output
    return folder


@pytest.fixture
def snakemake(measured, tmp_path):
    """Run targets on what was measured, a copy for each test."""
    shutil.copytree(measured, tmp_path, symlinks=True, dirs_exist_ok=True)
    return run_in(tmp_path)


@pytest.fixture
def published(snakemake, once_published, tmp_path):
    """The folder of results/published that the run was published to."""
    shutil.copytree(once_published / "results", tmp_path / "results", dirs_exist_ok=True)
    return next((tmp_path / "results/published").glob("*/published.json")).parent


def compare(snakemake, **changes):
    """Compare; returns the exit code and the output, the cells of its tables without padding."""
    code, output = snakemake("-R", "compare_records", "--", "results/compare.md", **changes)
    return code, re.sub(" *[|] *", "|", output)


def test_what_was_published_is_indexed_and_no_worse_than_itself(snakemake, published, tmp_path):
    index = (tmp_path / "results/published/README.md").read_text()
    assert f"({published.name}/table.md)" in index
    assert "|yolov5s|||10.00|40.0|10.00|40.0|800 at 8|800 at 8|tiny|" in re.sub(" *[|] *", "|", index)
    kept = Path("calibration/yolov5s-openvino.json")
    assert (published / kept).read_text() == (tmp_path / "results" / kept).read_text()
    code, output = compare(snakemake)
    assert code == 0, output
    page = (tmp_path / "results/compare.md").read_text()
    assert page.startswith(f"# No worse than results/published/{published.name}\n\n6 within noise.")


@pytest.mark.parametrize(("batch", "factor", "expected"), [(8, 1.2, 1), (1, 1.03, 1), (1, 1.01, 0)])
def test_slower_than_published_fails_from_the_limit_on(snakemake, published, tmp_path, batch, factor, expected):
    slower = replace(FP16, batch=batch)
    write(published, slower, 10.0 / factor)
    table = (tmp_path / "results/table.md").read_text()
    code, output = compare(snakemake)
    assert code == expected, output
    assert (tmp_path / "results/table.md").read_text() == table  # also of a run that fails
    assert (f"openvino/{slower.name}|speed|**regressed**" in output) == bool(expected)
    assert (f"error: worse than results/published/{published.name}: 1 regressed\n" in output) == bool(expected)
    assert ("\n1 regressed, 5 within noise." in output) == bool(expected)  # and nothing else
    suite = ElementTree.parse(tmp_path / "results/compare.xml").getroot()
    assert len(suite) == 4
    assert [case.get("name") for case in suite if len(case)] == [slower.name] * expected
    drawn = (tmp_path / "results/badge.svg").read_text()
    assert ("speedmap: 1 regressed" if expected else "speedmap: no worse") in drawn


def test_a_published_cell_that_is_gone_fails(snakemake, published):
    code, output = compare(snakemake, precisions=["fp16"])
    assert code == 1
    assert "openvino/yolov5s-int8-static|speed|**missing**" in output


def test_another_device_is_refused_by_name(snakemake, published):
    for path in published.glob("openvino/*/speed.json"):
        record = records.read(path, Speed)
        record.environment.platform["device"] = "another CPU"
        records.write(path, record)
    code, output = compare(snakemake)
    assert code == 1
    assert "another device (another CPU then," in output


def test_a_dirty_run_is_not_published(snakemake, tmp_path):
    path = tmp_path / "results/openvino/yolov5s-fp16-static/speed.json"
    record = records.read(path, Speed)
    record.environment.dirty = True
    records.write(path, record)
    code, output = snakemake("--", "publish")
    assert code == 1
    assert "the clone was dirty when they were measured" in output
    assert not (tmp_path / "results/published").exists()


def test_the_history_grows_by_what_is_new_and_is_drawn(snakemake, tmp_path):
    code, output = snakemake("--", "results/history.svg")
    assert code == 0, output
    path = tmp_path / "results/history.jsonl"
    before = path.read_text().splitlines()
    assert len(before) == 6
    figures = json.loads((tmp_path / "results/bencher.json").read_text())
    assert round(figures["openvino/yolov5s-int8-static"]["latency"]["value"]) == 10_000_000
    write(tmp_path / "results", FP16, 9.0)
    code, output = snakemake("-R", "record_history", "--", "results/history.svg")
    assert code == 0, output
    after = path.read_text().splitlines()
    assert after[:6] == before
    assert round(json.loads(after[6])["value"]) == 9
    assert "<svg" in (tmp_path / "results/history.svg").read_text()
