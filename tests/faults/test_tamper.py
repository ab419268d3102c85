"""Files between the steps are damaged or exchanged: the next step says so in one line, and no wrong table comes out."""

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
import safetensors.numpy

import build_engine
import export_onnx
import measure_accuracy
import measure_speed
import read_weights
import render_table
import type_fp16
import type_int8
import verify_engine
from helpers.snakemake_run import ROOT
from kill import missing
from speedmap.engines import registry
from speedmap.results import records
from speedmap.results.cell import Cell
from speedmap.results.inventory import Dataset
from speedmap.run.job import job

CELL, MODEL = "results/openvino/yolov5s-mini-fp16-dynamic", "yolov5s-mini"
INT8 = CELL.replace("fp16", "int8")
DEEP = '{"schema": 2, "session": ' + '{"a":' * 100_000
GONE = {"file": "no.jpg", "height": 1, "width": 1, "sha256": "0" * 64, "pixels_sha256": "0" * 64}
SPEED, ACCURACY = f"{CELL}/speed.json", f"{CELL}/accuracy.json"
DATASET, IMAGES = "results/dataset.json", "results/images.json"
CONFIG = {"models": {MODEL: {"weights": "a.pt"}}, "precisions": ["fp16", "int8"], "shapes": ["dynamic"],
          "torch": True, "skip": [], "imgsz": 128, "accuracy": {"conf": 0.001, "iou": 0.65, "max_det": 300},
          "speed": {"conf": 0.25, "iou": 0.45, "warmup_s": 0, "min_s": 0, "min_samples": 1}}  # fmt: skip
pytestmark = pytest.mark.workflow


@pytest.fixture(autouse=True)
def results(finished, tmp_path, monkeypatch):
    """Work in a copy of a finished run, its tables taken away."""
    shutil.copytree(finished / "results", tmp_path / "results")
    (tmp_path / "sample").symlink_to(ROOT / "sample")
    for name in ("table.md", "table.csv"):
        (tmp_path / "results" / name).unlink()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def edit(path, change):
    record = json.loads(Path(path).read_text())
    change(record)
    Path(path).write_text(json.dumps(record))


def put(path, *keys, value):
    """Set a value in a record."""
    *inner, last = keys

    def change(record):
        for key in inner:
            record = record[key]
        record[last] = value

    return lambda: edit(path, change)


def drop(path, key):
    return lambda: edit(path, lambda record: record.pop(key))


def text(path, content):
    return lambda: Path(path).write_text(content)


def cut(path):
    return lambda: Path(path).write_bytes(Path(path).read_bytes()[: Path(path).stat().st_size // 2])


def copy(source, target):
    return lambda: shutil.copyfile(source, target)


def outside(path):
    """Let an ONNX file take its first weights from the file of passwords."""

    def change():
        model = onnx.load(path)
        weight = next(one for one in model.graph.initializer if len(one.raw_data) > 100)
        weight.data_location = onnx.TensorProto.EXTERNAL
        weight.external_data.add(key="location", value="../../../../../../../../etc/passwd")
        weight.ClearField("raw_data")
        Path(path).write_bytes(model.SerializeToString())

    return change


FP16 = Cell("openvino", MODEL, "fp16", "dynamic")


def spoilt(number):
    """Build the engine anew from a graph that has a number among its first weights."""

    def change():
        model = onnx.load(f"{CELL}/model.onnx")
        weight = next(one for one in model.graph.initializer if len(one.dims) == 4)
        values = onnx.numpy_helper.to_array(weight).copy()
        values[0, 0, 0, 0] = number
        weight.CopyFrom(onnx.numpy_helper.from_array(values, weight.name))
        onnx.save(model, f"{CELL}/model.onnx")
        build(CELL)

    return change


def not_a_number():
    safe = f"results/weights/{MODEL}.safetensors"
    tensors = safetensors.numpy.load_file(safe)
    tensors["model.1.conv.weight"][:] = np.nan
    safetensors.numpy.save_file(tensors, safe)


def pickled(path):
    return lambda: np.savez(path, names=np.array([{"a": 1}], dtype=object))


def tabulate():
    listed = [str(path) for path in sorted(Path("results").glob("*/*/*.json")) if path.stem in ("speed", "accuracy")]
    render_table.render_table(listed, DATASET, CONFIG, "openvino", "results/table.md", "results/table.csv",
                              "results/environment.json")  # fmt: skip


def type_half():
    type_fp16.type_fp16(f"results/onnx/{MODEL}-dynamic.onnx", "out/model.onnx")


def quantize():
    options = {"range": "power", "bias_correction": True, "compensate": True}
    type_int8.type_int8("openvino", f"results/onnx/{MODEL}-dynamic.onnx", options, "out/model.onnx",
                        f"results/calibration/{MODEL}.npz", f"results/calibration/{MODEL}-openvino.json")  # fmt: skip


def build(folder="out"):
    build_engine.build_engine(FP16, registry.platform("openvino"), f"{CELL}/model.onnx", IMAGES, 128, {},
                              None, f"{folder}/engine", f"{folder}/engine.json")  # fmt: skip


def export():
    export_onnx.export_onnx(f"results/weights/{MODEL}.safetensors", IMAGES, 128, {}, "out/static.onnx",
                            "out/dynamic.onnx", "out/model.json")  # fmt: skip


def verify():
    verify_engine.verify_engine(FP16, f"{CELL}/engine", f"{CELL}/model.onnx", f"results/onnx/{MODEL}-dynamic.onnx",
                                f"results/weights/{MODEL}.json", IMAGES, 128, "out/verify.json")  # fmt: skip


def measure():
    inputs = {"engine": f"{CELL}/engine", "record": f"{CELL}/engine.json", "verification": f"{CELL}/verify.json",
              "dataset": DATASET}  # fmt: skip
    rest = {"imgsz": 128, "protocol": CONFIG["speed"], "code": "0" * 12, "out": "out/speed.json"}
    measure_speed.measure_speed(FP16, **inputs, **rest)


def find():
    measure_accuracy.measure_accuracy(FP16, f"{CELL}/engine", f"{CELL}/engine.json", DATASET, 128, CONFIG["accuracy"],
                                      "0" * 12, "out/accuracy.json", "out/detections.json")  # fmt: skip


def read():
    known = {"is_onnx": False, "image_set": IMAGES, "imgsz": 128}
    paths = {"out": "out/weights.safetensors", "record": "out/weights.json"}
    read_weights.read_weights(MODEL, "sample/yolov5s-mini.safetensors", **known, **paths)


FAULTS = {
    "record cut off": (cut(SPEED), tabulate, "speed.json: no JSON record"),
    "record empty": (text(SPEED, ""), tabulate, "speed.json: no JSON record"),
    "record of binary": (lambda: Path(SPEED).write_bytes(bytes(range(256))), tabulate, "speed.json: no JSON record"),
    "record a list": (text(SPEED, "[]"), tabulate, "speed.json: not a sound record"),
    "record too deep": (text(SPEED, "[" * 100_000), tabulate, "speed.json: not a sound record"),
    "record deep within": (text(SPEED, DEEP), tabulate, "speed.json: no JSON record"),
    "record of an older schema": (put(SPEED, "schema", value=1), tabulate, "speed.json: of schema 1, where"),
    "record without audit": (drop(SPEED, "audit"), tabulate, "missing required field `audit`"),
    "record with NaN": (put(ACCURACY, "metrics", "map", value=float("nan")), tabulate, "accuracy.json: no JSON record"),
    "median a text": (put(SPEED, "summary", "median_ms", value="1"), tabulate, "got `str` - at `$.summary.median_ms`"),
    "median negative": (put(SPEED, "summary", "median_ms", value=-1), tabulate, "> 0.0 - at `$.summary.median_ms`"),
    "sample negative": (put(SPEED, "samples_ms", value=[-1]), tabulate, "> 0.0 - at `$.samples_ms[0]`"),
    "no samples": (put(SPEED, "samples_ms", value=[]), tabulate, "Expected `array` of length >= 1 - at `$.samples_ms`"),
    "mAP beyond one": (put(ACCURACY, "metrics", "map", value=41.3), tabulate, "<= 1.0 - at `$.metrics.map`"),
    "share missing": (put(SPEED, "audit", "precision", value="int4"), tabulate, "runs int4, of which it knows"),
    "record of another cell": (copy(SPEED, f"{INT8}/speed.json"), tabulate, "is of openvino/yolov5s-mini-fp16-dynamic"),
    "record of other data": (put(ACCURACY, "dataset", "sha256", value="0" * 64), tabulate, "is of other images"),
    "data set cut off": (cut(DATASET), tabulate, "dataset.json: no JSON record"),
    "ONNX cut off": (cut(f"results/onnx/{MODEL}-dynamic.onnx"), type_half, "the ONNX file is truncated"),
    "ONNX that reads outside": (outside(f"results/onnx/{MODEL}-dynamic.onnx"), type_half, "outside of its own folder"),
    "ONNX no ONNX": (text(f"results/onnx/{MODEL}-dynamic.onnx", "<html>"), type_half, "the ONNX file is truncated"),
    "ONNX to build cut off": (cut(f"{CELL}/model.onnx"), build, "the ONNX file is truncated"),
    "ONNX to build reads outside": (outside(f"{CELL}/model.onnx"), build, "outside of its own folder"),
    "statistics cut off": (cut(f"results/calibration/{MODEL}.npz"), quantize, "no calibration statistics"),
    "statistics pickled": (pickled(f"results/calibration/{MODEL}.npz"), quantize, "no calibration statistics"),
    "weights cut off": (cut(f"results/weights/{MODEL}.safetensors"), export, "the weights file is truncated"),
    "engine cut off": (cut(f"{CELL}/engine"), verify, "engine: no engine of OpenVINO"),
    "engine empty": (text(f"{CELL}/engine", ""), measure, "changed since engine.json was written"),
    "another engine": (copy(f"{INT8}/engine", f"{CELL}/engine"), measure, "changed since engine.json was written"),
    "engine gone": (lambda: Path(f"{CELL}/engine").unlink(), measure, "no such"),
    "NaN in the graph, verified": (spoilt(np.nan), verify, "rows of an output have NaN or infinite values"),
    "NaN in the graph, detected": (spoilt(np.nan), find, "rows of an output have NaN or infinite values"),
    "infinity in the graph": (spoilt(np.inf), find, "rows of an output have NaN or infinite values"),
    "NaN in the weights": (not_a_number, export, "or torch's, are NaN or infinite"),
    "classes in the data set only": (put(DATASET, "categories", value=[{"id": 1, "name": "a"}]), find,
                                     "but the data set has 1"),
    "calibration image gone": (put(IMAGES, "calibration", value=[GONE]), verify, "no.jpg: no readable"),
    "evaluated image gone": (put(DATASET, "images", 0, "file", value="no.jpg"), measure, "no.jpg: no readable image"),
    "another number of classes": (put(IMAGES, "categories", value=[{"id": 1, "name": "a"}]), read,
                                  "but dataset.annotations has 1 categories"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_tampered_file_is_named_and_spoils_no_table(results, capsys, noted, name):
    spoil, step, message = FAULTS[name]
    spoil()
    noted(name)
    with pytest.raises(SystemExit) as end, job("logs/step.log"):
        step()
    assert end.value.code == 1
    said = Path("logs/step.log").read_text().splitlines()[-1]
    assert message in said
    assert said.startswith("error: ")
    assert not said.startswith("error: unexpected")
    assert capsys.readouterr().err.rstrip().endswith(said)
    assert not Path("results/table.md").exists()
    assert not [path for path in Path("out").rglob("*") if path.suffix in (".json", ".part")]
    noted(name, said)


def test_speed_and_map_of_different_engines_make_no_figure(results):
    put(ACCURACY, "artefact", "engine_sha256", value="0" * 64)()
    tabulate()
    assert [cell.partition("<sup>")[0] for cell in missing(results)] == ["## Dynamic input [1, 3, 128*]: invalid"] * 2
    assert "speed and mAP come from different engines" in Path("results/table.md").read_text()


def test_what_is_not_tampered_with_makes_a_table(results):
    tabulate()
    assert missing(results) == []
    assert registry.backend("openvino")
    assert len(records.read(Path(DATASET), Dataset).images) > 1
