"""What the doctor says that make table will do."""

import subprocess
from dataclasses import replace
from types import SimpleNamespace

import pytest

from speedmap.machine.cpu_features import SATURATING, WIDE
from speedmap.run import doctor, duration, forecast
from speedmap.run.verdict import OK, WARNING

JOBS = {"build_engine": 16, "measure_speed": 20}


@pytest.fixture
def default():
    return doctor.config(["config.yaml"])[1]


def test_the_default_run_is_said_with_its_cells_steps_and_time(default):
    line = forecast.run(default, ["config.yaml"], "openvino", JOBS)
    assert line.state == OK
    assert line.found == (
        "make table will measure OpenVINO on the CPU: 16 cells of 4 models, 36 steps, "
        f"about {duration.words(duration.planned(JOBS))} on two quiet cores"
    )


def test_of_another_data_set_the_time_is_said_to_be_that_of_the_sample(default):
    models = {"m": default.models["yolov5s-mini"]}
    other = replace(default, dataset=replace(default.dataset, name="mine"), models=models)
    said = forecast.run(other, ["mine.yaml"], "openvino", JOBS).found
    assert said.startswith("make table CONFIG='mine.yaml' will measure")
    assert "4 cells of 1 model, " in said
    assert "if models and images were the sample's" in said


def test_builds_of_tensorrt_have_no_time_that_was_measured_elsewhere(default):
    assert "of which 16 build engines, of minutes each" in forecast.run(default, ["c.yaml"], "tensorrt", JOBS).found


def test_a_run_that_is_done_and_one_that_cannot_be_planned(default):
    assert "nothing left to do" in forecast.run(default, ["config.yaml"], "openvino", {}).found
    assert forecast.run(default, ["config.yaml"], "openvino", None).state == WARNING


@pytest.mark.parametrize(
    ("hint", "sums", "said"),
    [
        ("f32", SATURATING, "FP16 cells run in FP32, OpenVINO's choice for this processor, and are called so; INT8 "
         "without VNNI, sums in 16 bits"),
        ("bf16", WIDE, "FP16 cells run in BF16, OpenVINO's choice"),
        ("f16", WIDE, "FP16 cells run in FP16; INT8 with VNNI or its like, sums in 32 bits"),
    ],
)  # fmt: skip
def test_the_precisions_that_will_run(monkeypatch, hint, sums, said):
    core = SimpleNamespace(get_property=lambda *_: SimpleNamespace(to_string=lambda: hint))
    monkeypatch.setattr("openvino.Core", lambda: core)
    assert forecast.precision("openvino", {"int8_sums": sums}).startswith(said)


def test_the_plan_is_read_off_snakemakes_own_table(monkeypatch):
    table = "Job stats:\njob                 count\n----------------  -------\ncheck_dataset           1\n" \
            "measure_speed          20\ntotal                  21\n\nJob stats:\n"  # fmt: skip
    calls = []
    monkeypatch.setattr(subprocess, "run", lambda command, **_: calls.append(command) or SimpleNamespace(stdout=table))
    assert forecast.planned(["mine.yaml"]) == {"check_dataset": 1, "measure_speed": 20}
    assert calls[0][-4:] == ["--configfile", "mine.yaml", "--", "results/table.md"]


def test_no_plan_where_snakemake_fails(monkeypatch):
    def failing(command, **_):
        raise subprocess.CalledProcessError(1, command)

    monkeypatch.setattr(subprocess, "run", failing)
    assert forecast.planned(["config.yaml"]) is None
