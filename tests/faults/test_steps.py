"""Steps fail at their worst moment, one way or another; the same command then goes on, and ends with the table.

FAULTS=all lets every step fail in every way (half an hour); otherwise every third step does, and the ways take turns.
"""

import os
import random
from itertools import cycle
from pathlib import Path

import pytest

from helpers import snakemake_run
from kill import STARTUP, TINY, faults, kill, metrics, missing

INJECT = str(Path(__file__).parent / "inject")
STEPS = {  # from the last to the first: what shows below results/ that one was done
    "render_table": "table.md",
    "measure_speed": "openvino/*/speed.json",
    "measure_accuracy": "openvino/*/accuracy.json",
    "verify_engine": "openvino/*/verify.json",
    "build_engine": "openvino/*/engine",
    "type_int8": "openvino/*int8*/model.onnx",
    "choose_float": "calibration/*-openvino.json",
    "type_fp16": "openvino/*fp16*/model.onnx",
    "calibrate": "calibration/*.npz",
    "export_onnx": "onnx/*.onnx",
    "read_weights": "weights/*.safetensors",
    "check_dataset": "images.json",
}
WORDS = {
    "disk": "error: the disk is full, or the temporary folder or a quota is; free space",
    "quota": "error: the disk is full, or the temporary folder or a quota is; free space",
    "memory": "error: the machine's memory is too small for this step",
    "kill": "error: {step}: the job was killed, most likely because the memory",
    "terminate": "error: {step}: the job was ended from outside",
}
LONGEST = 10  # seconds; the run of the small config takes about twice as long
ALL = os.environ.get("FAULTS") == "all"
WAYS = list(WORDS) if ALL else [None]
pytestmark = pytest.mark.workflow


def run(folder, inject):
    options = ("--configfile", TINY, "--", "results/table.md")
    code, output = snakemake_run.run(folder, *options, environment={"PYTHONPATH": INJECT, "INJECT": inject})
    (folder / "output.log").write_text(output)
    return code, output


def files(folder):
    return {path for path in (folder / "results").rglob("*") if path.is_file() and path.suffix != ".part"}


def undo(folder, pattern):
    """Take away what a step made, and all that was made since then."""
    made = [path.stat().st_mtime for path in (folder / "results").glob(pattern)]
    for path in files(folder):
        if path.stat().st_mtime >= min(made, default=float("inf")) or path.name == "table.md":
            path.unlink()


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_a_run_that_fails_at_one_step_after_the_other_ends_with_the_table(folder, noted, way):
    expected, turns = metrics(folder), cycle(WORDS)
    for step, pattern in list(STEPS.items())[:: 1 if ALL else 3]:
        fault = way or next(turns)
        undo(folder, pattern)
        before = files(folder)
        noted(f"{fault} in {step}")
        code, output = run(folder, f"{step}:{fault}")
        assert code == 1, (step, fault)
        assert WORDS[fault].format(step=step) in output
        if step != "render_table" and (folder / "results/table.partial.md").exists():  # what there is, and why no more
            assert missing(folder, "table.partial.md"), (step, fault)
        assert all(path.stat().st_size for path in files(folder) - before), (step, fault)
        noted(f"{fault} in {step}", next(line for line in output.splitlines() if line.startswith("error: ")))
    noted("SIGKILL of the whole run")
    kill(folder, STARTUP + random.Random(1).uniform(0, LONGEST))  # with most of the run before it
    assert faults(folder, run(folder, "")[0], expected) == []
    noted("SIGKILL of the whole run", "none; the same command ends with the table")
