"""Publish, compare and keep a history in the shell, on hand-made records of a run that never was."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from helpers.snakemake_run import MINI, overlay, prepare, run
from speedmap.machine import environment
from speedmap.results import records
from speedmap.results.cell import Cell
from speedmap.timing import stats

SHA = "0" * 64
WATCHED = ("error", "setting", "count", "ranges", "reasons", "foreign_pids", "warnings", "samples")
CONFIG = {"backend": "openvino", "shapes": ["static"], "torch": False, "models": {"yolov5s": MINI}}
# rules that need nothing but records
AFTER = ("render_table", "compare_records", "judge_comparison", "record_history", "publish")
DATA = {"name": "tiny", "images": 4, "sha256": SHA, "calibration_sha256": SHA}
pytestmark = pytest.mark.workflow


def shared(cell):
    platform = environment.cpu_platform("openvino")
    facts = {"cpu": environment.cpu_name(), "system": "Linux", "versions": {}, "platform": platform, "code": "0" * 12}
    return {"cell": vars(cell), "artefact": {"engine_sha256": SHA}, "measured": "2026-01-02T03:04:05+00:00",
            "environment": {**facts, "commit": "c" * 40, "commit_from": "git", "dirty": False}, "imgsz": 640,
            "dataset": DATA, "session": {}, "warnings": []}  # fmt: skip


def write(results, cell, median):
    """Write all records of a cell that takes `median` milliseconds, give or take 1%."""
    drawn = np.random.default_rng(0).normal(1, 0.01, 400)
    samples = list(map(float, median * drawn / np.median(drawn)))
    audit = {"precision": cell.precision, "shares": {cell.precision: 1.0}, "invalid": []}
    summary = {**stats.summary(samples), "drift": 0.0}
    speed = {"protocol": {"conf": 0.25, "iou": 0.45, "warmup_s": 0, "min_s": 0, "min_samples": 1},
             "samples_ms": samples, "shapes": ["640x640"] * 400, "summary": summary, "doubts": [],
             "per_shape": {"640x640": {"count": 400, "median_ms": median}},
             "phases": dict.fromkeys(("letterbox", "load", "run", "fetch", "nms", "end_to_end"), 1.0),
             "audit": audit, "watch": {**dict.fromkeys(WATCHED), "alive": True, "setting": {}}}  # fmt: skip
    metrics = dict.fromkeys(("map", "map50", "map75", "map_small", "map_medium", "map_large"), 0.4)
    accuracy = {"protocol": {"conf": 0.001, "iou": 0.65, "max_det": 300}, "metrics": {**metrics, "map_se": 0.01},
                "bootstrap": {"map": [0.001, -0.001]}}  # fmt: skip
    folder = results / "openvino" / cell.name
    records.write(folder / "speed.json", shared(cell) | speed)
    records.write(folder / "accuracy.json", shared(cell) | accuracy)
    records.write(folder / "engine.json", {"engine_sha256": SHA})
    records.write(folder / "verify.json", {"engine_sha256": SHA})


def run_in(folder):
    """Make a runner of targets in a folder; it returns (exit code, output)."""

    def run_here(*target, **changes):
        options = ("--rerun-triggers", "input", *overlay(folder, {**CONFIG, **changes}), "--allowed-rules", *AFTER)
        return run(folder, *options, *target, cores=1)

    return run_here


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A folder with two measured cells and the sample."""
    folder = prepare(tmp_path_factory.mktemp("measured"))
    for precision in ("fp16", "int8"):
        write(folder / "results", Cell("openvino", "yolov5s", precision, "static"), 10.0)
    records.write(folder / "results/dataset.json", {**DATA, "images": [1, 2, 3, 4], "calibration": []})
    records.write(folder / "results/calibration/yolov5s-openvino.json", {"float": ["/model.24/m.0/Conv"], "table": []})
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
    return snakemake("-R", "compare_records", "--", "results/compare.md", **changes)


def test_what_was_published_is_indexed_and_no_worse_than_itself(snakemake, published, tmp_path):
    index = (tmp_path / "results/published/README.md").read_text()
    assert f"({published.name}/table.md)" in index
    assert "|yolov5s|||10.00|40.0|10.00|40.0|tiny|" in re.sub(" *[|] *", "|", index)
    choice = Path("calibration/yolov5s-openvino.json")
    assert (published / choice).read_text() == (tmp_path / "results" / choice).read_text()
    code, output = compare(snakemake)
    assert code == 0, output
    page = (tmp_path / "results/compare.md").read_text()
    assert page.startswith(f"# No worse than results/published/{published.name}\n\n4 within noise.")


@pytest.mark.parametrize(("factor", "expected"), [(1.2, 1), (1.03, 1), (1.01, 0)])
def test_slower_than_published_fails_from_the_limit_on(snakemake, published, tmp_path, factor, expected):
    write(published, Cell("openvino", "yolov5s", "fp16", "static"), 10.0 / factor)
    table = (tmp_path / "results/table.md").read_text()
    code, output = compare(snakemake)
    assert code == expected, output
    assert (tmp_path / "results/table.md").read_text() == table  # also of a run that fails
    assert ("openvino/yolov5s-fp16-static|speed|**regressed**" in output) == bool(expected)


def test_a_published_cell_that_is_gone_fails(snakemake, published):
    code, output = compare(snakemake, precisions=["fp16"])
    assert code == 1
    assert "openvino/yolov5s-int8-static|speed|**missing**" in output


def test_another_device_is_refused_by_name(snakemake, published):
    for path in published.glob("openvino/*/speed.json"):
        record = records.read(path)
        record["environment"]["platform"]["device"] = "another CPU"
        records.write(path, record)
    code, output = compare(snakemake)
    assert code == 1
    assert "another device (another CPU then," in output


def test_a_dirty_run_is_not_published(snakemake, tmp_path):
    path = tmp_path / "results/openvino/yolov5s-fp16-static/speed.json"
    record = records.read(path)
    record["environment"]["dirty"] = True
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
    assert len(before) == 4
    write(tmp_path / "results", Cell("openvino", "yolov5s", "fp16", "static"), 9.0)
    code, output = snakemake("-R", "record_history", "--", "results/history.svg")
    assert code == 0, output
    after = path.read_text().splitlines()
    assert after[:4] == before
    assert round(json.loads(after[4])["value"]) == 9
    assert "<svg" in (tmp_path / "results/history.svg").read_text()
