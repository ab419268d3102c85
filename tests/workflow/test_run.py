"""Real runs of Snakemake on a few images: what is measured is real, only little."""

import json
import os
import re
import shutil
import subprocess
import sys

import cv2
import numpy as np
import pytest
import yaml

from helpers.snakemake_run import MINI, ROOT, SAMPLE, overlay, planned, prepare, run
from kill import TINY

SHARED = ROOT.parent / "shared"
pytestmark = pytest.mark.workflow

CONFIG = yaml.safe_load(TINY.read_text())
FEW = CONFIG["dataset"]
ONE = {"precisions": ["int8"], "torch": False}  # cell
CELL, TORCH = "results/openvino/yolov5s-mini-int8-dynamic", "results/torch/yolov5s-mini-fp16-dynamic"
TABLE = "results/table.md"


@pytest.fixture
def folder(copy_of_finished):
    """Return a working directory in which the run is finished."""
    return copy_of_finished()


@pytest.fixture
def snakemake(folder):
    """Run Snakemake there, with some keys of the config changed; returns (exit code, output)."""
    return lambda *arguments, **changes: run(folder, *overlay(folder, {**CONFIG, **changes}), *arguments)


def test_one_cell_from_checkpoint_to_table(snakemake, folder):
    speed, accuracy = (json.loads((folder / CELL / f"{kind}.json").read_text()) for kind in ("speed", "accuracy"))
    assert speed["artefact"]["engine_sha256"] == accuracy["artefact"]["engine_sha256"]
    assert len(speed["samples_ms"]) >= 5
    assert speed["audit"]["shares"]["int8"] > 0.5
    assert 0 <= accuracy["metrics"]["map"] <= 1
    assert "| yolov5s-mini |" in (folder / TABLE).read_text()
    code, output = snakemake()
    assert code == 0, output
    assert planned(output).keys() == {"measure_peaks", "render_report"}
    report = (folder / "results/report.html").read_text()
    ratio = json.loads((folder / CELL / "speedup.json").read_text())["ratio"]
    assert f"yolov5s-mini {ratio:.3f} times as fast" in report  # in the line to quote
    assert "No baseline is published for this device." in report


def test_the_example_finds_with_a_measured_engine_what_its_map_is_of(folder):
    evaluated, best = json.loads((folder / CELL / "detections.json").read_text()), {}
    for entry in evaluated:
        best.setdefault(f"{entry['image_id']:06}.jpg", entry)  # the best comes first
    (folder / "evaluated").mkdir()
    for name in best:
        shutil.copy(ROOT / "sample/images" / name, folder / "evaluated")
    command = [sys.executable, ROOT / "examples/detect.py", CELL, "evaluated"]
    refused = subprocess.run([*command, "evaluated"], cwd=folder, capture_output=True, text=True, check=False)
    assert refused.stderr.startswith("error: evaluated: holds what is read, which drawn images would replace")
    command.append("drawn")
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert re.match(r"[34] images, medians: [0-9.]+ ms in the engine, [0-9.]+ ms from pixels", done.stdout), done.stderr
    shown = json.loads((folder / "drawn/detections.json").read_text())
    shown = {name: entries[0] for name, entries in shown.items() if entries}
    classes = [category["name"] for category in json.loads((ROOT / "sample/instances.json").read_text())["categories"]]
    assert len(shown) >= 3
    for name in shown:
        left, top, right, bottom = shown[name]["box"]
        assert best[name]["bbox"] == pytest.approx([left, top, right - left, bottom - top], abs=0.01)
        assert best[name]["score"] == pytest.approx(shown[name]["score"], abs=1e-4)
        assert classes[best[name]["category_id"] - 1] == shown[name]["class"]
    drawn = cv2.imread(str(folder / "drawn" / name))
    assert np.abs(drawn[round(top), round(left)].astype(int) - (0, 0, 255)).max() < 100  # red, as far as JPEG keeps it


def test_a_second_run_does_nothing(snakemake, folder):
    code, output = snakemake("--", TABLE)
    assert code == 0
    assert "Nothing to be done" in output
    for path in (folder / "results").rglob("*"):  # as if all code and images came of a checkout since
        os.utime(path, (10**9, 10**9))
    assert "Nothing to be done" in snakemake("-n", "--", TABLE)[1]


@pytest.mark.parametrize(
    ("arguments", "rules"),
    [
        (["-f", f"{CELL}/speed.json"], {"measure_speed"}),
        (["-R", f"{CELL}/speed.json", "--", TABLE], {"measure_speed", "render_table"}),
        (["-R", f"{CELL}/engine", "--", TABLE],
         {"build_engine", "verify_engine", "measure_speed", "measure_accuracy", "measure_speedup", "render_table"}),
        (["-R", f"{CELL}/detections.json", "--", TABLE], {"measure_accuracy", "render_table"}),
    ],
)  # fmt: skip
def test_a_part_reruns_with_what_follows_from_it_and_no_more(snakemake, arguments, rules):
    code, output = snakemake("-n", *arguments)
    assert code == 0, output
    assert planned(output).keys() == rules


def test_another_threshold_detects_anew(snakemake):
    _, output = snakemake("-n", "--", TABLE, accuracy={"conf": 0.01})
    assert planned(output).keys() == {"measure_accuracy", "render_table"}


def test_on_another_device_torch_is_measured_anew_too(snakemake):
    assert "Nothing to be done" in snakemake("-n", "--", f"{TORCH}/speed.json")[1]
    here = {"device": "another", "openvino": "2026.4.1"}
    assert planned(snakemake("-n", "--", f"{TORCH}/speed.json", platform=here)[1]).keys() == {"measure_speed"}


def test_an_added_precision_leaves_the_measured_one_alone(snakemake, folder):
    for path in folder.glob("results/openvino/*-fp16-*"):  # as if it had not been there
        shutil.rmtree(path)
    (folder / TABLE).unlink()
    _, output = snakemake("-n", "--", TABLE)
    assert {"type_fp16", "build_engine", "measure_speed", "render_table"} <= planned(output).keys()
    assert not {"calibrate", "type_int8", "export_onnx"} & planned(output).keys()
    _, output = snakemake("-n", "--", TABLE, skip=["yolov5s-mini-int8-dynamic"])
    assert "precision=fp16" in output
    assert "precision=int8" not in output


def test_an_added_model_leaves_the_measured_one_alone(snakemake):
    added = {"yolov5m-mini": {"weights": "sample/yolov5m-mini.safetensors"}}
    _, output = snakemake("-n", "--", TABLE, models=CONFIG["models"] | added)
    assert {"read_weights", "calibrate", "build_engine", "measure_speed", "render_table"} <= planned(output).keys()
    assert "model=yolov5m-mini" in output
    assert "model=yolov5s-mini" not in output


@pytest.mark.parametrize("dropped", [{"skip": ["yolov5s-mini-int8-dynamic"]}, {"precisions": ["int8"]}])
def test_a_dropped_cell_or_precision_leaves_only_the_table_to_make(snakemake, dropped):
    _, output = snakemake("-n", "--", TABLE, **dropped)
    assert planned(output).keys() == {"render_table"}


def test_a_further_build_adds_its_spread_and_leaves_the_first_alone(snakemake, folder):
    code, output = snakemake("--", TABLE, **ONE, builds=2)
    assert code == 0, output
    assert planned(output) == {"build_engine": 1, "verify_engine": 1, "measure_speed": 1, "render_table": 1}
    first, second = (json.loads((folder / CELL / f"speed{build}.json").read_text()) for build in ("", ".2"))
    assert first["artefact"]["onnx_sha256"] == second["artefact"]["onnx_sha256"]
    low, high = sorted(record["summary"]["median_ms"] for record in (first, second))
    assert f" {low:.3f} to {high:.3f} " in (folder / TABLE).read_text()


@pytest.fixture
def neighbours():
    """Keep all processors busy; returns how to end that."""
    spinning = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in os.sched_getaffinity(0)]

    def end():
        for process in spinning:
            process.kill()
            process.wait()

    yield end
    end()


def test_a_disturbed_cell_is_said_marked_and_repeated_alone_by_the_printed_command(snakemake, folder, neighbours):
    code, output = snakemake("-R", f"{CELL}/speed.json", "--", TABLE, **ONE, remeasure_s=2)
    neighbours()
    assert code == 0, output
    assert "1 of 1 timings are disturbed or unstable: taken again within 2 s" in output
    assert "[1/1] openvino/yolov5s-mini-int8-dynamic, speed: no quiet time was left for it" in output
    assert re.search(r"^1 of 1 speeds cannot be quoted: .*other processes used", output, re.MULTILINE), output
    assert "end or wait for, if they still run: python" in output
    assert (folder / TABLE).read_text().startswith("0 of 1 speeds may be quoted")
    (line,) = [line for line in output.splitlines() if line.startswith("repeat these alone: ")]
    before = (folder / CELL / "speed.json").read_bytes()
    typed = line.removeprefix("repeat these alone: ").replace("snakemake", f"{sys.executable} -m snakemake", 1)
    again = subprocess.run(["bash", "-c", typed], cwd=folder, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert planned(again.stdout + again.stderr).keys() == {"measure_speed", "measure_again", "render_table"}
    assert (folder / CELL / "speed.json").read_bytes() != before


TIMERS = """
import threading
onsuccess:
    print("timers:", [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)])
"""


def test_no_timer_of_snakemakes_works_beside_what_is_timed(tmp_path):
    config = {"backend": "null", "torch": False, "models": {"m": MINI}, "dataset": {**SAMPLE, "limit": 2}}
    (tmp_path / "Snakefile").write_text(f'include: "{ROOT}/Snakefile"\n{TIMERS}')
    code, output = run(prepare(tmp_path, config), "--snakefile", tmp_path / "Snakefile", "--", "results/dataset.json")
    assert code == 0, output
    assert "timers: []" in output  # which each job that ends leaves under a limit of jobs a second, as is the default


def test_a_run_that_fails_early_leaves_no_figures_of_another_config(snakemake, folder):
    before = (folder / TABLE).read_text()
    (folder / "broken.safetensors").write_text("<html>")
    models = CONFIG["models"] | {"broken": {"weights": "broken.safetensors"}}
    code, output = snakemake("--", TABLE, **ONE, models=models, dataset={**FEW, "name": "other"}, imgsz=256)
    assert code != 0
    assert "broken.safetensors" in output
    assert list(folder.glob("results/*/*/speed.json"))
    assert not (folder / "results/table.partial.md").exists()  # there is not one figure of this config
    assert before == (folder / TABLE).read_text()  # of the run before, whose records are still there


def test_a_cell_that_fails_leaves_the_others_and_says_why(snakemake, folder):
    (folder / "dull").mkdir()
    ramp = np.tile(np.linspace(0, 255, 320, dtype=np.uint8), (320, 1))
    for name, image in (("1.png", ramp), ("2.png", ramp.T)):
        cv2.imwrite(str(folder / "dull" / name), image)
    dull = {"dataset": {**FEW, "calibration": "dull"}, "int8": {"images": 2}}
    code, output = snakemake("--keep-going", "--", TABLE, torch=False, **dull)
    assert code != 0
    text = (folder / "results/table.partial.md").read_text()
    assert "the model sees nothing in any of 2 calibration images" in text
    assert "the model sees nothing in any of 2 calibration images" in output
    assert "Traceback" not in output
    assert " ms" in text


def test_a_batch_that_memory_does_not_hold_is_empty_with_the_reason_and_the_rest_goes_on(snakemake, folder):
    code, output = snakemake("--", TABLE, **ONE, shapes=["static"])
    assert code == 0, output
    options = overlay(folder, {**CONFIG, **ONE, "shapes": ["static"], "batches": [1, 4]})
    fault = {"PYTHONPATH": str(ROOT / "tests/faults/inject"), "INJECT": "build_engine:memory"}
    code, output = run(folder, *options, "--keep-going", "--", TABLE, environment=fault)
    assert code != 0
    text = (folder / "results/table.partial.md").read_text()
    single, several = re.findall(
        r"^[|] yolov5s-mini *[|] [14] +[|] (\S[^|]*)", text.partition("## Throughput")[2], re.M
    )
    assert float(single.split("<")[0]) > 0
    mark = re.fullmatch(r"not measured<sup>(\d+)</sup>", several.strip())[1]
    reason = f"{mark}. the machine's memory is too small for this step"
    assert reason in text
    assert reason.partition(". ")[2] in output


def test_calibration_images_that_teach_nothing_are_refused_before_anything_is_measured(snakemake, folder):
    (folder / "alike").mkdir()
    for name in ("1.jpg", "2.jpg"):
        shutil.copy(next((ROOT / "sample/calibration").iterdir()), folder / "alike" / name)
    code, output = snakemake("--", TABLE, **ONE, dataset={**FEW, "calibration": "alike"}, int8={"images": 2})
    assert code != 0
    assert "the 2 calibration images are all alike" in output
    assert not (folder / "results/dataset.json").exists()
    assert "rule measure_speed" not in output


def test_what_images_hold_counts_and_not_the_times_of_their_folder(snakemake, folder):
    own = folder / "own"
    own.mkdir()
    for path in sorted((ROOT / "sample/calibration").iterdir())[:6]:
        cv2.imwrite(str(own / f"{path.stem}.bmp"), cv2.imread(str(path)))
    target, changes = "results/dataset.json", {**ONE, "dataset": {**FEW, "calibration": "own"}}
    code, output = snakemake("--", target, **changes)
    assert code == 0, output
    (own / ".hidden").touch()
    os.utime(own)
    assert "Nothing to be done" in snakemake("-n", "--", target, **changes)[1]
    first = min(own.glob("*.bmp"))
    cv2.imwrite(str(first), 255 - cv2.imread(str(first)))
    assert planned(snakemake("-n", "--", target, **changes)[1]).keys() == {"check_dataset"}  # which all others follow


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="the real checkpoints are not beside the project")
def test_a_real_checkpoint_on_real_images(snakemake, folder):
    data = {"name": "coco-dev", "images": str(SHARED / "coco/dev/images"), "limit": 12,
            "annotations": str(SHARED / "coco/dev/instances.json"),
            "calibration": str(SHARED / "coco/calibration/images")}  # fmt: skip
    models = {"yolov5n-v7.0": {"weights": str(SHARED / "weights/yolov5n-v7.0.pt")}}
    target = "results/openvino/yolov5n-v7.0-fp16-static/accuracy.json"
    changes = {"models": models, "dataset": data, "precisions": ["fp16"], "shapes": ["static"], "imgsz": 640}
    code, output = snakemake("--", target, **changes)
    assert code == 0, output
    record = json.loads((folder / target).read_text())
    assert 0.2 < record["metrics"]["map"] < 0.6


def own(folder, reverse):
    """Write a data set of four images as converters from YOLO and VOC do; returns the config's `dataset`."""
    truth = json.loads((ROOT / "sample/instances.json").read_text())
    chosen = truth["images"][:4]
    ids = {image["id"] for image in chosen}
    names = [category["name"] for category in truth["categories"]][:: -1 if reverse else 1]
    kinds = [{"id": number, "name": name, "supercategory": "common-objects"} for number, name in enumerate(names, 1)]
    boxes = [{**box, "segmentation": [], "iscrowd": 0} for box in truth["annotations"] if box["image_id"] in ids]
    images = [{**image, "license": 1, "date_captured": "11/24/2026,10:00:00"} for image in chosen]
    (folder / "own").mkdir(exist_ok=True)
    for image in chosen:
        shutil.copy(ROOT / "sample/images" / image["file_name"], folder / "own")
    content = {"info": {}, "licenses": [], "categories": kinds, "images": images, "annotations": boxes}
    (folder / "own.json").write_text(json.dumps(content))
    return {"name": "own", "images": "own", "annotations": "own.json", "calibration": "sample/calibration"}


@pytest.mark.parametrize("reverse", [False, True])
def test_a_data_set_of_ones_own_is_taken_if_its_classes_are_in_the_models_order(snakemake, folder, reverse):
    code, output = snakemake("--", "results/weights/yolov5s-mini.json", **ONE, dataset=own(folder, reverse))
    assert code == int(reverse), output
    assert ("number the categories as the model does" in output) == reverse
    assert len(json.loads((folder / "results/dataset.json").read_text())["images"]) == 4
