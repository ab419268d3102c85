"""Several GPUs on one host: the real workflow on GPUs that a stand-in for NVML pretends, with the null engine."""

import json
import os
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.workflow

CONFIG = {
    "backend": "null",
    "torch": False,
    "models": {name: {"weights": "sample/yolov5s-mini.safetensors"} for name in ("first", "second")},
    "precisions": ["fp16"],
    "shapes": ["static"],
    "imgsz": 64,
    "dataset": {"name": "sample", "images": "sample/images", "annotations": "sample/instances.json",
                "calibration": "sample/calibration", "limit": 6},
    "speed": {"warmup_s": 0, "min_s": 1, "min_samples": 5},
}  # fmt: skip
CELLS = [f"results/null/{model}-fp16-static" for model in CONFIG["models"]]


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """Run on two GPUs in the default way, then once more with neighbours; returns the records of both runs."""
    folder = tmp_path_factory.mktemp("gpus")
    (folder / "sample").symlink_to(ROOT / "sample")
    (folder / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests/fakes"), "FAKE_GPUS": "H100=0,H100=30"}
    environment.pop("CUDA_VISIBLE_DEVICES", None)
    targets = [f"{cell}/speed.json" for cell in CELLS]

    def run(*arguments):
        command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--directory", folder,
                   "--cores", "4", "--resources", "gpu=2", *arguments, "--", *targets]  # fmt: skip
        done = subprocess.run(list(map(str, command)), env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return {
            path.parent.name + path.stem: json.loads(path.read_text()) for path in folder.glob("results/*/*/*.json")
        }

    return run(), run("--forcerun", "measure_speed", "--set-threads", "measure_speed=2")


def timed(records):
    return [record["runs"][0] for name, record in records.items() if name.endswith("speed")]


def overlap(first, second):
    return first["start"] < second["end"] and second["start"] < first["end"]


def test_nothing_runs_beside_a_timed_job_by_default(measured):
    jobs = [record["runs"][0] for record in measured[0].values() if "runs" in record]
    assert len(jobs) == 6
    pairs = [pair for pair in combinations(jobs, 2) if any(run in timed(measured[0]) for run in pair)]
    assert [pair for pair in pairs if overlap(*pair)] == []


def test_timed_jobs_beside_each_other_have_a_gpu_each(measured):
    together = [pair for pair in combinations(timed(measured[1]), 2) if overlap(*pair)]
    assert together
    assert all(first["gpu"]["uuid"] != second["gpu"]["uuid"] for first, second in together)
    assert {run["gpu"]["index"] for run in timed(measured[1])} == {0, 1}


def test_a_cell_whose_neighbour_was_busy_is_marked(measured):
    speeds = [record for name, record in measured[1].items() if name.endswith("speed")]
    for record in speeds:
        marked = "other GPUs of the host were at work meanwhile" in record["warnings"]
        assert marked == (record["runs"][0]["gpu"]["index"] == 0)  # beside GPU 1, which works at 30%
