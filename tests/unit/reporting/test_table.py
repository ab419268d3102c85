import copy
import re
from dataclasses import replace

import pytest
from msgspec import structs

from helpers.record_factory import OTHER_SHA, dataset, environment, experiment, result, summary
from speedmap.engines import registry
from speedmap.reporting import csv_table, detail_table, table
from speedmap.results.cell_result import NAMES
from speedmap.results.findings import NoDetections, NotVerified, WrongPrecision
from speedmap.results.reported import Source
from speedmap.results.speed import Phases
from speedmap.results.timing_findings import Throttled, TwoLevels
from speedmap.verification import validity

CONFIG = experiment(
    models={"a": Source(weights="a.pt"), "b": Source(weights="random")}, torch=True, skip=["a-int8-static"]
)
ONE = structs.replace(CONFIG, models={"a": Source(weights="x")})
DATASET = dataset(128, name="sample")
SHA = "0123456789abcdef0123456789abcdef01234567"
IN_FLOAT = WrongPrecision("fp16", {"fp32": 1.0})


def row(backend, model, precision, shape, ms, points, ran=None):
    made = result(backend, model, precision, shape, ran=ran, score=points / 100)
    made.speed.summary = summary(ms, 0.9 * ms, 1.1 * ms, count=200, p90=ms)
    made.speed.phases = Phases(letterbox=0.5, load=0.25, run=ms, fetch=0.125, nms=0.75, end_to_end=ms + 1.625)
    made.accuracy.metrics.map50 = 1.5 * points / 100
    return made


@pytest.fixture
def rows():
    return [row("tensorrt", model, precision, shape, 1.5, 40) for model in "ab" for precision in ("fp16", "int8")
            for shape in ("dynamic", "static") if (model, precision, shape) != ("a", "int8", "static")]  # fmt: skip


def line(text, model, shape):
    part = text.split("## ")[1 if shape == "dynamic" else 2]
    return next(entry for entry in part.splitlines() if entry.startswith(f"| {model} "))


def test_a_row_a_model_and_a_column_a_figure(rows):
    text = table.render(rows, CONFIG, DATASET, "tensorrt")
    assert "## Dynamic input [1, 3, 640*]" in text
    assert "TensorRT<br><sup>Speed-INT8" in text
    assert [cell.strip() for cell in line(text, "a", "static").split("|")][2:5] == ["1.50 ms", "40.0", "skipped"]


def test_what_the_annotations_lack_stands_below(rows):
    bare = structs.replace(DATASET, derived=["1 of 2 images without a label file count as background", "b"])
    said = "Of its annotations: 1 of 2 images without a label file count as background; b."
    assert said in table.render(rows, CONFIG, bare, "tensorrt")
    assert "Of its annotations" not in table.render(rows, CONFIG, DATASET, "tensorrt")


def test_random_weights_have_a_speed_and_no_map(rows):
    assert "1.50 ms" in line(table.render(rows, CONFIG, DATASET, "tensorrt"), "b", "static")
    assert "random weights" in line(table.render(rows, CONFIG, DATASET, "tensorrt"), "b", "static")


def test_torch_has_no_map_of_random_weights_either_and_no_row_for_it(rows):
    torch = [row("torch", model, "fp16", "dynamic", 6, 0) for model in "ab"]
    found = line(table.render(rows + torch, CONFIG, DATASET, "tensorrt"), "b", "dynamic")
    assert [cell.strip() for cell in found.split("|")][2:4] == ["6.00 ms", "random weights"]


def test_the_header_names_the_precision_that_ran():
    rows = [row("openvino", "a", "fp16", "dynamic", 1, 1, ran="bf16")]
    assert "OpenVINO<br><sup>Speed-BF16" in table.render(rows, ONE, DATASET, "openvino")


def test_a_column_of_invalid_cells_keeps_its_name_beside_one_that_ran_the_same():
    rows = [row("openvino", "a", precision, "static", 1, 1, ran="fp32") for precision in ("fp16", "int8")]
    rows[1].speed.audit.invalid.append(WrongPrecision("int8", {"fp32": 1.0}))
    head, _, cells = table.render(rows, ONE, DATASET, "openvino").partition("## Static")[2].splitlines()[2:5]
    assert [head.count(f"Speed-{name}") for name in ("FP32", "INT8")] == [1, 1]
    assert [cell.strip() for cell in cells.split("|")][2::2] == ["1.00 ms", "invalid<sup>1</sup>", ""]


@pytest.mark.parametrize("backend", sorted(set(registry.CLASSES) - {"torch"}))
def test_every_backend_has_a_table_of_each_kind(backend):
    config = structs.replace(ONE, batches=[1])
    text = table.render([row(backend, "a", "fp16", "static", 1, 1)], config, DATASET, backend)
    name = NAMES[backend]
    assert all(f"| {name}<br><sup>{column} " in text for column in ("Speed-FP16", "mAP-FP16", "FP16 images/s"))


def test_a_cell_that_was_not_timed_says_nothing_of_what_ran():
    timed, other = (row("openvino", model, "fp16", "dynamic", 1, 1, ran="bf16") for model in "ab")
    text = table.render([timed, replace(other, speed=None)], CONFIG, DATASET, "openvino")
    assert "OpenVINO<br><sup>Speed-BF16 " in text
    assert "OpenVINO<br><sup>mAP-BF16 " in text


@pytest.mark.parametrize("spoil", ["audit", "hash"])
def test_an_invalid_cell_shows_its_reason_and_no_number(rows, spoil):
    if spoil == "audit":
        rows[0].speed.audit.invalid.append(IN_FLOAT)
        reason = "asked for fp16 but runs 100% fp32"
    else:
        rows[0].accuracy.artefact.engine_sha256 = OTHER_SHA
        reason = "speed and mAP come from different engines"
    text = table.render(rows, CONFIG, DATASET, "tensorrt")
    assert f"1. {reason}" in text
    assert "invalid<sup>1</sup>" in line(text, "a", "dynamic")
    assert "1.50 ms" not in line(text, "a", "dynamic").split("|")[4]


def test_a_warning_is_a_mark_and_a_line(rows):
    rows[1].speed.watch.warnings.append(Throttled("sw power cap"))
    text = table.render(rows, CONFIG, DATASET, "tensorrt")
    assert "1.50 ms<sup>1</sup>" in line(text, "a", "static")
    assert "1. throttled: sw power cap" in text


def test_a_warning_about_detections_is_marked_at_the_map(rows):
    rows[1].accuracy.warnings.append(NoDetections())
    text = table.render(rows, CONFIG, DATASET, "tensorrt")
    assert " 1.50 ms | 40.0<sup>1</sup> |" in re.sub(" +", " ", line(text, "a", "static"))
    assert "1. no detections at all" in text


def test_why_a_map_is_missing_is_marked(rows):
    rows[1] = replace(rows[1], accuracy=None, failed=(NotVerified(),))
    text = table.render(rows, CONFIG, DATASET, "tensorrt")
    assert "not measured<sup>1</sup>" in line(text, "a", "static")
    assert "1. the engine was not verified" in text


def test_torch_runs_what_it_says_and_shows_no_share(rows):
    torch = row("torch", "a", "fp16", "dynamic", 6, 40)
    assert list(csv_table.frame([rows[0], torch])["share"].notna()) == [True, False]


def test_the_page_is_the_golden_one(rows, golden):
    graph = {"alternatives": {"cuda_graph": summary(3.25)}}
    made = {entry.cell.name: entry for entry in rows}
    made["a-fp16-dynamic"].speed.watch.warnings.append(Throttled("sw power cap"))
    made["a-int8-dynamic"].speed.summary = summary(12.345, 12.2, 12.5, count=700, p90=13.0)
    made["a-int8-dynamic"].speed.summary.p99_ms = 14.0
    made["a-int8-dynamic"].accuracy.metrics.map = 0.3876
    made["a-int8-dynamic"].accuracy.warnings.append(NoDetections())
    made["b-fp16-dynamic"].speed.audit.invalid.append(IN_FLOAT)
    made["b-int8-static"].speed.audit.shares = {"int8": 0.8, "fp16": 0.2}
    again = copy.deepcopy(made["b-fp16-static"].speed)
    again.summary.median_ms = 1.6
    made["b-fp16-static"] = replace(made["b-fp16-static"], builds=(again,))
    del made["b-int8-dynamic"]
    torch = [row("torch", "a", "fp16", "dynamic", 6, 0), row("torch", "a", "fp32", "dynamic", 0, 39.04)]
    torch[1].accuracy.bootstrap.map = [0.002, 0.001]
    against = {"torch": torch[1].accuracy, "float": made["a-fp16-dynamic"].accuracy}
    made["a-int8-dynamic"] = replace(made["a-int8-dynamic"], references=against)
    timed = replace(torch[0], speed=structs.replace(torch[0].speed, **graph), accuracy=None)
    scored = replace(torch[1], speed=None)
    golden("table.md", table.render([*made.values(), timed, scored], CONFIG, DATASET, "tensorrt"))


def test_a_missing_cell_is_said(rows):
    assert "not measured" in line(table.render(rows[1:], CONFIG, DATASET, "tensorrt"), "a", "dynamic")


def test_no_rows_at_all_is_an_error():
    with pytest.raises(ValueError, match="no cell"):
        table.render([], CONFIG, DATASET, "tensorrt")


def test_both_thresholds_stand_below(rows):
    text = table.render(rows, CONFIG, DATASET, "tensorrt")
    assert "conf 0.25, iou 0.45" in text
    assert "conf 0.001, iou 0.65, max_det 300" in text


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"commit": SHA, "commit_from": "git", "dirty": False}, "speedmap 0123456789ab."),
        ({"commit": SHA, "commit_from": "git", "dirty": True}, "speedmap 0123456789ab (changed)."),
        ({"commit": SHA, "commit_from": "GITHUB_SHA"}, "speedmap 0123456789ab (as GITHUB_SHA says)."),
        ({}, "speedmap unknown."),
    ],
)
def test_the_foot_says_whence_the_commit_is_known(rows, facts, expected):
    rows[0].speed.environment = environment(**{"commit": None, "dirty": None, **facts})
    assert expected in table.render(rows, CONFIG, DATASET, "tensorrt")


def test_details_are_unrounded(rows):
    rows[0].speed.summary.median_ms = 1.23456789
    assert csv_table.frame(rows)["p50 ms"][0] == 1.23456789


def test_details_show_no_figure_of_an_invalid_cell(rows):
    rows[0].speed.audit.invalid.append(IN_FLOAT)
    found = csv_table.frame(rows)
    assert list(found["p50 ms"].notna()[:2]) == list(found["mAP"].notna()[:2]) == [False, True]
    assert found["invalid"].dropna().to_dict() == {0: "asked for fp16 but runs 100% fp32"}


def test_details_leave_out_what_no_cell_has(rows):
    text = detail_table.render(rows)
    assert "CUDA graph ms" not in text
    assert " 100.0% |" in text
    rows[0].speed.alternatives["cuda_graph"] = summary(0.25)
    assert "CUDA graph ms" in detail_table.render(rows)


def test_counts_are_whole_also_beside_a_cell_that_was_not_timed(rows):
    rows[0] = replace(rows[0], speed=None)
    assert list(csv_table.frame(rows)["samples"][1:3]) == [200, 200]
    assert " 200 " in detail_table.render(rows)
    assert "200.0" not in csv_table.frame(rows).to_csv()


def test_builds_show_their_spread_and_an_invalid_one_is_said(rows):
    assert csv_table.frame(rows)["builds most ms"].isna().all()
    slow, broken = (copy.deepcopy(rows[0].speed) for _ in range(2))
    slow.summary.median_ms, broken.summary.median_ms = 1.56789, 9.0
    broken.audit.invalid = [IN_FLOAT]
    rows[0] = replace(rows[0], builds=(slow, broken))
    text = table.render(rows, CONFIG, DATASET, "tensorrt")
    assert tuple(csv_table.frame(rows).loc[0, ["builds least ms", "builds most ms"]]) == (1.5, 1.56789)
    assert " 1.500 to 1.568 " in text
    assert "1. build 3 is invalid: asked for fp16 but runs 100% fp32" in text


def test_a_warning_of_a_further_build_is_marked(rows):
    again = copy.deepcopy(rows[0].speed)
    again.watch.warnings = [Throttled("sw power cap")]
    rows[0] = replace(rows[0], builds=(copy.deepcopy(rows[0].speed), again))
    text = table.render(rows, CONFIG, DATASET, "tensorrt")
    assert "1.50 ms<sup>1</sup>" in line(text, "a", "dynamic")
    assert "1. build 3: throttled: sw power cap" in text


def test_a_cell_of_no_table_is_marked_all_the_same(rows):
    torch = row("torch", "a", "fp16", "dynamic", 3, 40)
    static = [entry for entry in rows if entry.cell.shape == "static"]
    config = structs.replace(CONFIG, shapes=["static"])
    assert "In the details only" not in table.render([torch, *static], config, DATASET, "tensorrt")
    torch.speed.doubts.append(TwoLevels(0.08, 0.3))
    torch.accuracy.warnings.append(NoDetections())
    text = table.render([torch, *static], config, DATASET, "tensorrt")
    assert "In the details only: torch/a-fp16-dynamic<sup>1,2</sup>." in text
    assert "1. unstable: two levels, 8.0% of the median apart, 30% of the run on the lower\n2. no detections" in text
    assert "In the details only" not in table.render([torch, *rows], CONFIG, DATASET, "tensorrt")


def test_int8_that_gains_nothing_is_marked_with_the_reason(rows):
    slow = next(entry for entry in rows if entry.cell.name == "a-int8-dynamic")
    slow.speed.summary = summary(1.6)
    assert "INT8 is slower" not in table.render(rows, CONFIG, DATASET, "tensorrt")  # than 1.5 to 1.65 ms
    slow.speed.summary = summary(2.5, 2.4)
    assert "builder level" not in table.render(rows, CONFIG, DATASET, "tensorrt")
    slow.engine.options["builder_level"] = 0
    text = table.render(rows, CONFIG, DATASET, "tensorrt")
    assert "2.50 ms<sup>1</sup>" in line(text, "a", "dynamic")
    assert "1. INT8 is slower than FP16" in text
    assert "builder level 0" in text


def test_a_target_that_int8_does_not_meet_is_marked(rows):
    choice = {"target": 0.001, "reached": 0.0042, "met": False, "int8_share": 0.9}
    row = next(entry for entry in rows if entry.cell.name == "a-int8-dynamic")
    row.speed.audit.remarks = validity.missed(**choice)
    text = table.render(rows, CONFIG, DATASET, "tensorrt")
    assert "ms<sup>1</sup>" in line(text, "a", "dynamic")
    assert "1. INT8 changes the output by 0.0042, int8.target is 0.001: the least found, with 90.0% in INT8" in text


def test_an_engine_of_two_precisions_is_marked(rows):
    rows[0].speed.audit.shares = {"fp16": 0.8, "fp32": 0.2}
    assert "runs 80% fp16, 20% fp32" in table.render(rows, CONFIG, DATASET, "tensorrt")


def test_a_model_that_came_as_onnx_has_none_of_torch(rows):
    models = {"a": Source(weights="a.pt"), "b": Source(weights="b.onnx", onnx="b.onnx")}
    found = line(table.render(rows, structs.replace(CONFIG, models=models), DATASET, "tensorrt"), "b", "dynamic")
    assert [cell.strip() for cell in found.split("|")][2:5] == ["from ONNX", "from ONNX", "1.50 ms"]
