"""Several GPUs on one host: the real workflow on GPUs that a stand-in for NVML pretends, with the null engine."""

import json
from itertools import combinations

import pytest
import yaml

from helpers.snakemake_run import ROOT, overlay, run
from kill import TINY

pytestmark = pytest.mark.workflow

SPEED = {"warmup_s": 0, "min_s": 1, "min_samples": 5}
CONFIG = {**yaml.safe_load(TINY.read_text()), "backend": "null", "torch": False, "speed": SPEED}
CELLS = [f"results/null/yolov5s-mini-fp16-{shape}" for shape in ("dynamic", "static")]


@pytest.fixture(scope="module")
def measured(copy_of_finished):
    """Run on two GPUs in the default way, then once more with neighbours; returns the records of both runs.

    Networks are those that were exported for another backend.
    """
    folder = copy_of_finished()
    environment = {"PYTHONPATH": str(ROOT / "tests/fakes"), "FAKE_GPUS": "H100=0,H100=30", "CUDA_VISIBLE_DEVICES": None}
    targets = [f"{cell}/speed.json" for cell in CELLS]

    def measure(*arguments):
        options = (*overlay(folder, CONFIG), "--resources", "gpu=2", *arguments, "--", *targets)
        code, output = run(folder, *options, cores=4, environment=environment)
        assert code == 0, output
        return {
            path.parent.name + path.stem: json.loads(path.read_text()) for path in folder.glob("results/null/*/*.json")
        }

    return measure(), measure("--forcerun", "measure_speed", "--set-threads", "measure_speed=2")


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
        marked = "other_gpus_busy" in {warning["kind"] for warning in record["watch"]["warnings"]}
        assert marked == (record["runs"][0]["gpu"]["index"] == 0)  # beside GPU 1, which works at 30%
