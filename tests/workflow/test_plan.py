"""What Snakemake plans; nothing is measured here."""

import json
import re

import pytest

from helpers.snakemake_run import MINI, ROOT, SAMPLE, overlay, planned, prepare, run

pytestmark = pytest.mark.workflow


@pytest.fixture
def plan(tmp_path):
    """Plan a run in an empty folder with the sample beside it and some keys changed; returns (exit code, output)."""
    prepare(tmp_path)

    def run_here(*targets, dry=True, **changes):
        options = overlay(tmp_path, {"backend": "openvino", **changes})
        return run(tmp_path, *options, *["--dry-run"] * dry, "--", *targets)

    return run_here


def jobs(output, rule):
    return planned(output).get(rule, 0)


def test_the_default_plans_all_cells(plan):
    code, output = plan()
    assert code == 0, output
    assert jobs(output, "measure_speed") == jobs(output, "measure_accuracy") == 16 + 4  # of torch
    assert jobs(output, "build_engine") == 16
    assert jobs(output, "calibrate") == 4


def test_disturbed_cells_are_measured_again_in_one_job_if_there_is_time_for_it(plan):
    counts = [jobs(plan(remeasure_s=seconds)[1], "measure_again") for seconds in (0, 60)]
    assert counts == [0, 1]


def test_a_skipped_cell_is_not_planned(plan):
    assert jobs(plan(skip=["yolov5x-mini-int8-dynamic"])[1], "measure_speed") == 15 + 4


def test_further_builds_are_built_verified_and_timed_but_not_scored(plan):
    code, output = plan(builds=3, precisions=["fp16"], shapes=["static"], torch=False)
    assert code == 0, output
    assert [jobs(output, rule) for rule in ("build_engine", "verify_engine", "measure_speed")] == [12, 12, 12]
    assert jobs(output, "measure_accuracy") == 4


def test_random_weights_have_no_accuracy_job(plan):
    _, output = plan(models={"yolov5x": {"weights": "random"}})
    assert jobs(output, "measure_speed") == 4 + 1
    assert jobs(output, "measure_accuracy") == 0


def test_models_of_an_overlay_replace_those_of_the_default(plan):
    _, output = plan(models={"yolov5s": MINI})
    assert jobs(output, "measure_speed") == 4 + 1
    assert "mini-fp16" not in output


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"precision": ["fp16"]}, "overlay.yaml: line 3: 'precision' is no key; did you mean 'precisions'?"),
        (
            {"models": {"a": {"weights": "nowhere.pt"}}},
            "overlay.yaml: line 5: models.a.weights: nowhere.pt is not there, ",
        ),
        ({"skip": ["yolov5s-mini-int8"]}, "overlay.yaml: line 3: skip: 'yolov5s-mini-int8' is no cell"),
    ],
)
def test_a_mistake_in_the_config_is_named_in_one_line_before_anything_runs(plan, changes, message):
    code, output = plan(**changes)
    assert code != 0
    said = [line for line in output.splitlines() if not line.startswith(("Config file config", "Using workflow spec"))]
    assert len(said) == 1, output
    assert said[0].startswith(f"error: {message}")


SHELL = "im'ag\"es; $(touch ran) `touch ran` &"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"models": {"a": {"weights": "$(touch ran).pt"}}}, "models.a.weights: $(touch ran).pt is not there"),
        ({"models": {"a": {"weights": "/dev/zero"}}}, "models.a.weights: /dev/zero is not there"),
        ({"models": {"a": {"weights": "resources/../../a.pt", "url": "https://a.org/a.pt", "sha256": "0" * 64}}},
         "models.a.weights: resources/../../a.pt has a url, so must lie under resources/"),
        ({"dataset": {**SAMPLE, "images": SHELL}}, f"dataset.images: {SHELL} is not there"),
    ],
)  # fmt: skip
def test_a_hostile_config_is_refused_and_does_nothing(plan, tmp_path, changes, message):
    code, output = plan(**changes)
    assert code != 0
    assert message in output
    assert {path.name for path in tmp_path.iterdir()} <= {"sample", "config.yaml", "overlay.yaml", ".snakemake"}


def test_paths_with_shell_characters_are_only_paths(plan, tmp_path):
    (tmp_path / SHELL).symlink_to(ROOT / "sample/images")
    (tmp_path / f"{SHELL}.safetensors").symlink_to(ROOT / "sample/yolov5s-mini.safetensors")
    data, models = {**SAMPLE, "images": SHELL, "limit": 2}, {"a": {"weights": f"{SHELL}.safetensors"}}
    code, output = plan("results/weights/a.json", dry=False, dataset=data, models=models)
    assert code == 0, output
    assert SHELL in json.loads((tmp_path / "results/dataset.json").read_text())["images"][0]["file"]
    assert not list(tmp_path.rglob("ran"))


def test_no_rule_runs_a_shell_command_so_that_none_has_to_quote():
    for path in (ROOT / "workflow/rules").glob("*.smk"):
        assert not re.search(r"^\s*(shell|run):", path.read_text(), re.MULTILINE), path


def test_torch_is_a_target_in_every_precision_and_shape(plan):
    code, output = plan("results/torch/yolov5s-mini-fp32-static/accuracy.json")
    assert code == 0, output
    assert jobs(output, "measure_accuracy") == 1
    assert "build_engine" not in output


def test_batches_add_engines_of_static_input_from_the_same_typed_graphs_and_no_map(plan):
    code, output = plan(batches=[1, 8], models={"m": MINI})
    assert code == 0, output
    assert [jobs(output, rule) for rule in ("type_fp16", "type_int8", "change_batch")] == [2, 2, 2]
    assert [jobs(output, rule) for rule in ("build_engine", "verify_engine", "measure_speed")] == [6, 6, 6 + 3]
    assert jobs(output, "measure_accuracy") == 4 + 1


def test_a_dynamic_cell_of_a_batch_is_no_static_one(plan):
    code, output = plan("results/openvino/yolov5s-mini-int8-dynamic-b8/speed.json")
    assert code != 0
    assert "No rule to produce results/openvino/yolov5s-mini-int8-dynamic-b8/speed.json" in output
