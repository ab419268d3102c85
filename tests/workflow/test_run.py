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

from helpers.snakemake_run import MINI, ROOT, overlay, planned, prepare, run
from helpers.snakemake_run import SAMPLE as WHOLE

SHARED = ROOT.parent / "shared"
pytestmark = pytest.mark.workflow

QUICK = {"backend": "openvino", "torch": False, "shapes": ["static"], "imgsz": 320,
         "speed": {"warmup_s": 0.1, "min_s": 0.3, "min_samples": 5}, "int8": {"images": 4, "scan": 1}}  # fmt: skip


@pytest.fixture(scope="module")
def snakemake(tmp_path_factory):
    """Run Snakemake in a folder of its own with the sample beside it; returns (exit code, output, folder)."""
    folder = prepare(tmp_path_factory.mktemp("run"))

    def run_here(*arguments, **changes):
        return *run(folder, *overlay(folder, {**QUICK, **changes}), *arguments), folder

    return run_here


SAMPLE = {**WHOLE, "limit": 6}
ONE = {"models": {"yolov5s-mini": MINI}, "precisions": ["int8"], "dataset": SAMPLE}


def test_one_cell_from_checkpoint_to_table(snakemake):
    code, output, folder = snakemake(**ONE)
    assert code == 0, output
    cell = folder / "results/openvino/yolov5s-mini-int8-static"
    speed, accuracy = (json.loads((cell / f"{kind}.json").read_text()) for kind in ("speed", "accuracy"))
    assert speed["artefact"]["engine_sha256"] == accuracy["artefact"]["engine_sha256"]
    assert len(speed["samples_ms"]) >= 5
    assert speed["audit"]["shares"]["int8"] > 0.5
    assert 0 <= accuracy["metrics"]["map"] <= 1
    assert "| yolov5s-mini |" in (folder / "results/table.md").read_text()
    report = (folder / "results/report.html").read_text()
    assert f"yolov5s-mini INT8 {speed['summary']['median_ms']:.3g} ms" in report  # in the line to quote
    assert "No baseline is published for this device." in report


def test_the_example_finds_with_a_measured_engine_what_its_map_is_of(snakemake):
    folder = snakemake(**ONE)[2]
    cell, out = folder / "results/openvino/yolov5s-mini-int8-static", folder / "drawn"
    command = [sys.executable, ROOT / "examples/detect.py", cell, ROOT / "sample/images", out]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert re.search(r"128 images, medians: [0-9.]+ ms in the engine, [0-9.]+ ms from pixels", done.stdout), done.stderr
    evaluated, best = json.loads((cell / "detections.json").read_text()), {}
    for entry in evaluated:
        best.setdefault(f"{entry['image_id']:06}.jpg", entry)  # the best comes first
    shown = {name: entries[0] for name, entries in json.loads((out / "detections.json").read_text()).items() if entries}
    classes = [category["name"] for category in json.loads((ROOT / "sample/instances.json").read_text())["categories"]]
    assert len(best.keys() & shown.keys()) >= 3
    for name in best.keys() & shown.keys():
        left, top, right, bottom = shown[name]["box"]
        assert best[name]["bbox"] == pytest.approx([left, top, right - left, bottom - top], abs=0.01)
        assert best[name]["score"] == pytest.approx(shown[name]["score"], abs=1e-4)
        assert classes[best[name]["category_id"] - 1] == shown[name]["class"]
    drawn = cv2.imread(str(out / name))
    assert np.abs(drawn[round(top), round(left)].astype(int) - (0, 0, 255)).max() < 100  # red, as far as JPEG keeps it


def test_a_second_run_does_nothing(snakemake):
    code, output, folder = snakemake(**ONE)
    assert code == 0
    assert "Nothing to be done" in output
    for path in (folder / "results").rglob("*"):  # as if all code and images came of a checkout since
        os.utime(path, (10**9, 10**9))
    assert "Nothing to be done" in snakemake("-n", "--", "results/table.md", **ONE)[1]


@pytest.mark.parametrize(
    ("arguments", "rules"),
    [
        (["-f", "results/openvino/yolov5s-mini-int8-static/speed.json"], {"measure_speed"}),
        (["-R", "results/openvino/yolov5s-mini-int8-static/speed.json", "--", "results/table.md"],
         {"measure_speed", "render_table"}),
        (["-R", "results/openvino/yolov5s-mini-int8-static/engine", "--", "results/table.md"],
         {"build_engine", "verify_engine", "measure_speed", "measure_accuracy", "render_table"}),
        (["-R", "results/openvino/yolov5s-mini-int8-static/detections.json", "--", "results/table.md"],
         {"measure_accuracy", "render_table"}),
    ],
)  # fmt: skip
def test_a_part_reruns_with_what_follows_from_it_and_no_more(snakemake, arguments, rules):
    code, output, _ = snakemake("-n", *arguments, **ONE)
    assert code == 0, output
    assert planned(output).keys() == rules


def test_another_threshold_detects_anew(snakemake):
    _, output, _ = snakemake("-n", "--", "results/table.md", **ONE, accuracy={"conf": 0.01})
    assert planned(output).keys() == {"measure_accuracy", "render_table"}


def test_on_another_device_torch_is_measured_anew_too(snakemake):
    speed, with_torch = "results/torch/yolov5s-mini-fp16-dynamic/speed.json", {**ONE, "torch": True}
    code, output, _ = snakemake("--", speed, **with_torch)
    assert code == 0, output
    assert "Nothing to be done" in snakemake("-n", "--", speed, **with_torch)[1]
    here = {"device": "another", "openvino": "2026.4.1"}
    assert planned(snakemake("-n", "--", speed, **with_torch, platform=here)[1]).keys() == {"measure_speed"}


def test_an_added_precision_leaves_the_measured_one_alone(snakemake):
    _, output, _ = snakemake("-n", "--", "results/table.md", **{**ONE, "precisions": ["int8", "fp16"]})
    assert {"type_fp16", "build_engine", "measure_speed", "render_table"} <= planned(output).keys()
    assert not {"calibrate", "type_int8", "export_onnx"} & planned(output).keys()


def test_an_added_model_leaves_the_measured_one_alone(snakemake):
    added = {"yolov5m-mini": {"weights": "sample/yolov5m-mini.safetensors"}}
    _, output, _ = snakemake("-n", "--", "results/table.md", **{**ONE, "models": ONE["models"] | added})
    assert {"read_weights", "calibrate", "build_engine", "measure_speed", "render_table"} <= planned(output).keys()
    assert "model=yolov5m-mini" in output
    assert "model=yolov5s-mini" not in output


def test_a_dropped_cell_or_precision_leaves_only_the_table_to_make(snakemake):
    both = {**ONE, "precisions": ["int8", "fp16"]}
    _, output, _ = snakemake("-n", "--", "results/table.md", **both, skip=["yolov5s-mini-fp16-static"])
    assert planned(output).keys() == {"render_table"}
    _, output, _ = snakemake("-n", "--", "results/table.md", **both, skip=["yolov5s-mini-int8-static"])
    assert "precision=fp16" in output
    assert "precision=int8" not in output


def test_a_further_build_adds_its_spread_and_leaves_the_first_alone(snakemake):
    code, output, folder = snakemake("--", "results/table.md", **ONE, builds=2)
    assert code == 0, output
    assert planned(output).keys() == {"build_engine", "verify_engine", "measure_speed", "render_table"}
    cell = folder / "results/openvino/yolov5s-mini-int8-static"
    first, second = (json.loads((cell / f"speed{build}.json").read_text()) for build in ("", ".2"))
    assert first["artefact"]["onnx_sha256"] == second["artefact"]["onnx_sha256"]
    low, high = sorted(record["summary"]["median_ms"] for record in (first, second))
    assert f" {low:.3f} to {high:.3f} " in (folder / "results/table.md").read_text()


@pytest.fixture
def neighbours():
    """Keep all processors busy; returns how to end that."""
    spinning = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count())]

    def end():
        for process in spinning:
            process.kill()
            process.wait()

    yield end
    end()


def test_a_disturbed_cell_is_said_marked_and_repeated_alone_by_the_printed_command(snakemake, neighbours):
    speed = "results/openvino/yolov5s-mini-int8-static/speed.json"
    code, output, folder = snakemake("-R", speed, "--", "results/table.md", **ONE, remeasure_s=2)
    neighbours()
    assert code == 0, output
    assert "1 of 1 timings are disturbed or unstable: taken again within 2 s" in output
    assert "[1/1] openvino/yolov5s-mini-int8-static, speed: no quiet time was left for it" in output
    assert re.search(r"^1 of 1 speeds cannot be quoted: .*other processes used", output, re.MULTILINE), output
    assert "end or wait for: python" in output
    assert (folder / "results/table.md").read_text().startswith("0 of 1 speeds may be quoted")
    (line,) = [line for line in output.splitlines() if line.startswith("repeat these alone: ")]
    before = (folder / speed).read_bytes()
    typed = line.removeprefix("repeat these alone: ").replace("snakemake", f"{sys.executable} -m snakemake", 1)
    again = subprocess.run(["bash", "-c", typed], cwd=folder, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert planned(again.stdout + again.stderr).keys() == {"measure_speed", "measure_again", "render_table"}
    assert (folder / speed).read_bytes() != before


def test_a_run_that_fails_early_leaves_no_figures_of_another_config(snakemake):
    code, output, folder = snakemake("--", "results/table.md", **ONE)
    assert code == 0, output
    before = (folder / "results/table.md").read_text()
    (folder / "broken.safetensors").write_text("<html>")
    models = ONE["models"] | {"broken": {"weights": "broken.safetensors"}}
    changed = {**ONE, "models": models, "dataset": {**SAMPLE, "name": "other", "limit": 4}, "imgsz": 256}
    code, output, _ = snakemake("--", "results/table.md", **changed)
    assert code != 0
    assert "broken.safetensors" in output
    assert list(folder.glob("results/*/*/speed.json"))
    assert not (folder / "results/table.partial.md").exists()  # there is not one figure of this config
    assert before == (folder / "results/table.md").read_text()  # of the run before, whose records are still there


def test_a_cell_that_fails_leaves_the_others_and_says_why(snakemake):
    dull = snakemake("-n", **ONE)[2] / "dull"
    dull.mkdir()
    ramp = np.tile(np.linspace(0, 255, 320, dtype=np.uint8), (320, 1))
    for name, image in (("1.png", ramp), ("2.png", ramp.T)):
        cv2.imwrite(str(dull / name), image)
    both = {**ONE, "precisions": ["fp16", "int8"], "dataset": {**SAMPLE, "calibration": "dull"}, "int8": {"images": 2}}
    code, output, folder = snakemake("--keep-going", **both)
    assert code != 0
    text = (folder / "results/table.partial.md").read_text()
    assert "the model sees nothing in any of 2 calibration images" in text
    assert "the model sees nothing in any of 2 calibration images" in output
    assert "Traceback" not in output
    assert " ms" in text


def test_a_batch_that_memory_does_not_hold_is_empty_with_the_reason_and_the_rest_goes_on(snakemake):
    _, _, folder = snakemake(**ONE)
    options = overlay(folder, {**QUICK, **ONE, "batches": [1, 4]})
    fault = {"PYTHONPATH": str(ROOT / "tests/faults/inject"), "INJECT": "build_engine:memory"}
    code, output = run(folder, *options, "--keep-going", "--", "results/table.md", environment=fault)
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


def test_calibration_images_that_teach_nothing_are_refused_before_anything_is_measured(snakemake):
    alike = snakemake("-n", **ONE)[2] / "alike"
    alike.mkdir()
    for name in ("1.jpg", "2.jpg"):
        shutil.copy(next((ROOT / "sample/calibration").iterdir()), alike / name)
    code, output, folder = snakemake(**{**ONE, "dataset": {**SAMPLE, "calibration": "alike"}, "int8": {"images": 2}})
    assert code != 0
    assert "the 2 calibration images are all alike" in output
    assert not (folder / "results/dataset.json").exists()
    assert "rule measure_speed" not in output


def test_what_images_hold_counts_and_not_the_times_of_their_folder(snakemake):
    own = snakemake("-n", **ONE)[2] / "own"
    own.mkdir()
    for path in (ROOT / "sample/calibration").iterdir():
        cv2.imwrite(str(own / f"{path.stem}.bmp"), cv2.imread(str(path)))
    target, changes = "results/calibration/yolov5s-mini.npz", {**ONE, "dataset": {**SAMPLE, "calibration": "own"}}
    code, output, _ = snakemake("--", target, **changes)
    assert code == 0, output
    (own / ".hidden").touch()
    os.utime(own)
    assert "Nothing to be done" in snakemake("-n", "--", target, **changes)[1]
    first = min(own.glob("*.bmp"))
    cv2.imwrite(str(first), 255 - cv2.imread(str(first)))
    assert {"check_dataset", "calibrate"} <= planned(snakemake("-n", "--", target, **changes)[1]).keys()


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="the real checkpoints are not beside the project")
def test_a_real_checkpoint_on_real_images(snakemake):
    data = {"name": "coco-dev", "images": str(SHARED / "coco/dev/images"), "limit": 12,
            "annotations": str(SHARED / "coco/dev/instances.json"),
            "calibration": str(SHARED / "coco/calibration/images")}  # fmt: skip
    models = {"yolov5n-v7.0": {"weights": str(SHARED / "weights/yolov5n-v7.0.pt")}}
    target = "results/openvino/yolov5n-v7.0-fp16-static/accuracy.json"
    code, output, folder = snakemake("--", target, models=models, dataset=data, precisions=["fp16"], imgsz=640)
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
def test_a_data_set_of_ones_own_is_taken_if_its_classes_are_in_the_models_order(snakemake, reverse):
    folder = snakemake("-n", **ONE)[2]
    data = {**ONE, "dataset": own(folder, reverse)}
    code, output, _ = snakemake("--", "results/weights/yolov5s-mini.json", **data)
    assert code == int(reverse), output
    assert ("number the categories as the model does" in output) == reverse
    assert len(json.loads((folder / "results/dataset.json").read_text())["images"]) == 4
