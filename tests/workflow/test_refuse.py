"""Bad input at the command line: one line with the cause and the remedy, an exit code, and nothing half-written."""

import json
import shutil

import pytest
import safetensors.numpy

from helpers import yolo
from helpers.snakemake_run import MINI, ROOT, overlay, prepare, run

pytestmark = pytest.mark.workflow


@pytest.fixture
def snakemake(tmp_path):
    """Run Snakemake in a folder with four images of the sample; an overlay is text, so that it can be wrong."""
    truth = json.loads((ROOT / "sample/instances.json").read_text())
    truth["images"] = truth["images"][:2]
    listed = {image["id"] for image in truth["images"]}
    truth["annotations"] = [entry for entry in truth["annotations"] if entry["image_id"] in listed]
    for folder, names in {
        "images": [image["file_name"] for image in truth["images"]],
        "calibration": sorted(path.name for path in (ROOT / "sample/calibration").iterdir())[:2],
    }.items():
        (tmp_path / folder).mkdir()
        for name in names:
            shutil.copy(ROOT / "sample" / folder / name, tmp_path / folder)
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    prepare(tmp_path)

    def run_here(*arguments, text="", **changes):
        data = {"name": "few", "images": "images", "annotations": "truth.json", "calibration": "calibration"}
        config = {"backend": "openvino", "models": {"m": MINI}, "dataset": data, **changes}
        given = {key: value for key, value in config.items() if value is not None}
        scripts = {"PYTHONPATH": str(ROOT / "workflow/scripts")}  # where the logger is
        return run(tmp_path, *overlay(tmp_path, given, text), *arguments, environment=scripts)

    return run_here


def written(folder):
    """List what a run left in its results."""
    return [str(path.relative_to(folder)) for path in folder.glob("results/**/*") if path.is_file()]


def said(output, *words):
    """Return whether one line of the output holds all the words."""
    return any(all(word in line for word in words) for line in output.splitlines())


def edit(folder, change):
    truth = json.loads((folder / "truth.json").read_text())
    change(truth)
    (folder / "truth.json").write_text(json.dumps(truth))


def first_image(folder):
    return next(iter((folder / "images").iterdir()))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (
            lambda folder: edit(folder, lambda truth: truth.update(images=[], annotations=[])),
            ("truth.json", "lists no images"),
        ),
        (
            lambda folder: edit(folder, lambda truth: truth.update(annotations=[])),
            ("truth.json", "no boxes", "`annotations` are empty"),
        ),
        (
            lambda folder: (folder / "truth.json").write_text("<html>"),
            ("truth.json", "an HTML page", "fetch the file itself"),
        ),
        (
            lambda folder: first_image(folder).write_bytes(b""),
            (".jpg: no readable image, but an empty file", "fetch it again"),
        ),
        (lambda folder: first_image(folder).unlink(), ("but not there", "fetch the images again")),
        (
            lambda folder: shutil.copy(first_image(folder), folder / "calibration/renamed.jpg"),
            ("renamed.jpg: calibration image equals an evaluation image", "other images"),
        ),
    ],
    ids=["no images", "no boxes", "no JSON", "zero bytes", "missing image", "overlap by content"],
)
def test_a_bad_data_set_stops_before_anything_else_runs(snakemake, tmp_path, spoil, words):
    spoil(tmp_path)
    code, output = snakemake("--", "results/table.md")
    assert code != 0
    assert said(output, *words), output
    assert written(tmp_path) == []
    assert "read_weights/" not in output  # not even begun


def test_bad_weights_are_refused_each_by_name(snakemake, tmp_path):
    whole = (ROOT / MINI["weights"]).read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.pt").write_text("<html>not found</html>")
    safetensors.numpy.save_file(
        {"other": safetensors.numpy.load(whole)["model.0.conv.weight"]}, tmp_path / "o.safetensors"
    )
    edit(tmp_path, lambda truth: truth["categories"].append({"id": 99, "name": "one more"}))
    files = {"cut": "cut.safetensors", "text": "text.pt", "other": "o.safetensors", "classes": MINI["weights"]}
    targets = [f"results/weights/{name}.safetensors" for name in files]
    models = {name: {"weights": file} for name, file in files.items()}
    code, output = snakemake("--keep-going", "--logger", "speedmap", "--", *targets, models=models)
    assert code != 0
    for words in (
        ("cut.safetensors",),
        ("text.pt",),
        ("o.safetensors", "no YOLOv5"),
        (MINI["weights"], "8 classes", "9"),
    ):
        assert said(output, *words), output
    assert written(tmp_path) == ["results/dataset.json", "results/images.json"]
    lines = output.splitlines()
    assert [line.partition(":")[0] for line in lines if "read weights" in line] == ["failed"] * 4
    assert any(line.startswith("[1/5] check dataset, ") for line in lines)
    assert lines[-1].startswith("error: 4 steps failed; the same command goes on. Snakemake's own words are in ")
    assert len(lines) < 12, output


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("models: {a: {weights: random}, a: {weights: random}}\n", ("'a' is named twice", "rename or delete one")),
        ("imgsz: 320\nimgsz: 640\n", ("'imgsz' is named twice",)),
        ("imgsz: 100\n", ("overlay.yaml", "100 is no multiple of 32")),
        ("imgsz: [\n", ("overlay.yaml: line ", ", column 1: ", "indent by spaces")),
    ],
)
def test_a_doubled_key_an_odd_size_or_what_is_no_yaml_is_refused_at_once(snakemake, tmp_path, text, words):
    code, output = snakemake("--logger", "speedmap", "--", "results/table.md", text=text, models=None)
    assert code != 0
    assert said(output, *words), output
    assert written(tmp_path) == []


def test_a_data_set_of_yolo_is_read_once_and_not_needed_again(tmp_path):
    truth = json.loads((ROOT / "sample/instances.json").read_text())
    spare = sorted((ROOT / "sample/calibration").iterdir())[:3]
    (tmp_path / "few.json").write_text(json.dumps({**truth, "images": truth["images"][:2]}))
    yolo.write(tmp_path / "mine", tmp_path / "few.json", ROOT / "sample/images", spare)
    config = {"backend": "null", "models": {"m": MINI}, "torch": False, "dataset": {"data": "mine/data.yaml"}}
    folder, target = prepare(tmp_path, config), ("--", "results/weights/m.json")
    assert run(folder, *target)[0] == 0
    asked = json.loads((folder / "results/dataset.json").read_text())["asked"]
    assert (asked["name"], asked["images"], asked["data"]) == ("mine", "mine/images/val", "mine/data.yaml")
    (tmp_path / "mine").rename(tmp_path / "elsewhere")
    code, output = run(folder, *target)
    assert code == 0, output
    assert "Nothing to be done" in output
