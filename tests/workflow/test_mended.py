"""What another box, and a mistake in a data set once it is mended, leave of the results that were there."""

import json
import subprocess

import pytest

from helpers import yolo
from helpers.snakemake_run import MINI, ROOT, overlay, planned, prepare, run

pytestmark = pytest.mark.workflow

TARGET = "results/onnx/yolov5s-mini-static.onnx"


def test_what_boxes_do_not_change_stays_if_the_data_set_is_made_first(tmp_path):
    train = sorted((ROOT / "sample/calibration").iterdir())[:4]
    yolo.write(tmp_path / "mine", ROOT / "sample/instances.json", ROOT / "sample/images", train)
    changes = {"backend": "openvino", "models": {"yolov5s-mini": MINI}, "dataset": {"data": "mine/data.yaml"}}
    options = overlay(prepare(tmp_path), changes | {"imgsz": 64, "int8": {"images": 4}})
    assert run(tmp_path, *options, "--", TARGET)[0] == 0
    boxes = json.loads((tmp_path / "results/dataset.json").read_text())["boxes"]
    label = next((tmp_path / "mine/labels/val").iterdir())
    before = label.read_text()
    label.write_text(f"{before}99 0.5 0.5 0.1 0.1\n")
    code, output = run(tmp_path, *options, "--", TARGET)
    assert code != 0
    assert "the class 99" in output
    label.write_text(before)
    assert planned(run(tmp_path, *options, "--dry-run", "--", TARGET)[1])["export_onnx"] == 1  # for safety's sake
    assert run(tmp_path, *options, "--", "results/dataset.json")[0] == 0
    assert "Nothing to be done" in run(tmp_path, *options, "--dry-run", "--", TARGET)[1]
    label.write_text(f"{before}0 0.5 0.5 0.1 0.1\n")
    assert run(tmp_path, *options, "--", "results/dataset.json")[0] == 0
    assert json.loads((tmp_path / "results/dataset.json").read_text())["boxes"] == boxes + 1
    assert "Nothing to be done" in run(tmp_path, *options, "--dry-run", "--", TARGET)[1]


@pytest.mark.parametrize(("ran", "first"), [(False, "results/table.md"), (True, "results/dataset.json")])
def test_make_does_so_where_there_are_results(tmp_path, ran, first):
    for name in ("Makefile", "envs", "workflow"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "results/onnx").mkdir(parents=True) if ran else None
    command = ["make", "--dry-run", "SPEEDMAP_ENV=cpu", "table"]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    made = [line.split("-- ")[-1].strip() for line in said.splitlines() if "snakemake --cores" in line]
    assert (made[0], made[-1]) == (first, "results/table.md")
