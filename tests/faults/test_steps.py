"""Every step fails at its worst moment, one way or another; the same command then goes on, and ends with the table.

FAULTS=all lets every step fail in every way (minutes); otherwise the ways take turns.
"""

import os
import subprocess
from itertools import cycle
from pathlib import Path

import pytest

from kill import command, faults, metrics, missing

INJECT = str(Path(__file__).parent / "inject")
STEPS = ("check_dataset", "read_weights", "export_onnx", "measure_speed", "detect", "measure_accuracy", "calibrate",
         "type_fp16", "choose_float", "type_int8", "build_engine", "verify_engine", "render_table")  # fmt: skip
WORDS = {
    "disk": "error: the disk is full, or the temporary folder or a quota is; free space",
    "quota": "error: the disk is full, or the temporary folder or a quota is; free space",
    "memory": "error: the machine's memory is too small for this step",
    "kill": "error: {step}: the job was killed, most likely because the memory",
    "terminate": "error: {step}: the job was ended from outside",
}
WAYS = list(WORDS) if os.environ.get("FAULTS") == "all" else [None]
pytestmark = pytest.mark.workflow


def run(folder, inject):
    environment = {**os.environ, "PYTHONPATH": INJECT, "INJECT": inject}
    with (folder / "output.log").open("w") as log:
        code = subprocess.run(command(folder), stdout=log, stderr=log, env=environment, check=False).returncode
    return code, (folder / "output.log").read_text()


def files(folder):
    return [path for path in (folder / "results").rglob("*") if path.is_file()]


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_a_run_that_fails_at_every_step_ends_with_the_table(folder, noted, way):
    for path in files(folder):
        path.unlink()
    turns = cycle(WORDS)
    for step in STEPS:
        fault = way or next(turns)
        before = set(files(folder))
        noted(f"{fault} in {step}")
        code, output = run(folder, f"{step}:{fault}")
        assert code == 1, (step, fault)
        assert WORDS[fault].format(step=step) in output
        if step != "render_table" and (folder / "results/table.md").exists():  # what there is, and why no more
            assert missing(folder), (step, fault)
        new = {path for path in set(files(folder)) - before if not path.name.endswith(".part")}
        assert all(path.stat().st_size for path in new), (step, fault)
        noted(f"{fault} in {step}", next(line for line in output.splitlines() if line.startswith("error: ")))
    assert faults(folder, *run(folder, "")[:1], metrics(folder)) == []
