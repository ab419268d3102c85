"""The workflow on a real SLURM of three nodes, one of which dies: make test-slurm.

It makes a small table; SLURM_TABLE=config.yaml makes that of a config file, the default one, say.
"""

import csv
import os
import re
import shutil
import signal
import subprocess
import time
from importlib.util import find_spec

import psutil
import pytest
import yaml

from cluster import cluster, states
from helpers.snakemake_run import ROOT, SAMPLE, command, prepare

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.skipif(not shutil.which("slurmctld"), reason="slurmctld, slurmd and munge are not installed"),
    pytest.mark.skipif(not find_spec("snakemake_executor_plugin_slurm"), reason="envs/slurm.txt is not installed"),
]

CONFIG = {
    "backend": "openvino",
    "torch": False,
    "models": {name: {"weights": f"sample/{name}.safetensors"} for name in ("yolov5s-mini", "yolov5m-mini")},
    "precisions": ["fp16"],
    "shapes": ["static"],
    "imgsz": 320,
    "dataset": {**SAMPLE, "limit": 12},
    "speed": {"warmup_s": 0.1, "min_s": 0.3, "min_samples": 5},
}
if named := os.environ.get("SLURM_TABLE"):
    CONFIG = yaml.safe_load((ROOT / named).read_text())
PATIENCE = 3600  # seconds
SAME = ("cell", "ran", "share", "mAP", "mAP50")  # columns that no clock has a part in
PROFILE = ["--profile", ROOT / "profiles/slurm", "--max-threads", "2",
           "--seconds-between-status-checks", "2", "--slurm-init-seconds-before-status-checks", "2",
           "--slurm-status-command", "squeue"]  # fmt: skip


def start(folder, *arguments, cores=None):
    """Start the workflow in a folder of its own."""
    given = command(prepare(folder, CONFIG), *arguments, "--", "results/table.md", cores=cores)
    return subprocess.Popen(given, stdout=(folder / "output").open("w"), stderr=subprocess.STDOUT)


def finish(process, folder):
    assert process.wait(PATIENCE) == 0, (folder / "output").read_text()[-4000:]
    with (folder / "results/table.csv").open() as file:
        return [{name: row[name] for name in SAME} for row in csv.DictReader(file)]


def jobs():
    """Ask the controller for all jobs, those that are done included; their fields by name."""
    text = subprocess.run(["scontrol", "show", "jobs", "-o"], capture_output=True, text=True, check=False).stdout
    return [dict(re.findall(r"(\S+?)=(\S*)", line)) for line in text.splitlines() if "JobId=" in line]


def is_of(job, rule):
    return job["Comment"].startswith(f"rule_{rule}_wildcards_")


def running(rule, process):
    """Wait until a job of a rule runs; returns the job."""
    while process.poll() is None:
        if found := [job for job in jobs() if job["JobState"] == "RUNNING" and is_of(job, rule)]:
            return found[0]
        time.sleep(0.25)
    raise RuntimeError(f"no job of {rule} in a run that has ended: {jobs()}")


def crash(slurmd, node):
    """Take a node down as a power cut does: its daemon, and whatever it runs, are gone at once."""
    mine = {job["JobId"] for job in jobs() if job["NodeList"] == node and job["JobState"] == "RUNNING"}
    slurmd.send_signal(signal.SIGKILL)
    for process in psutil.process_iter(["cmdline"]):
        step = re.match(r"slurmstepd: \[(\d+)\.", " ".join(process.info["cmdline"] or []))
        if step and step[1] in mine:
            for child in [*process.children(recursive=True), process]:
                child.kill()
    subprocess.run(["scontrol", "update", f"nodename={node}", "state=down", "reason=test"], check=True)
    return mine


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Run on SLURM, a node going down in the middle, then locally; returns both tables, all jobs, and those cut off."""
    folder = tmp_path_factory.mktemp("runs")
    with cluster() as nodes:
        process = start(folder / "slurm", *PROFILE)
        try:
            node = running("build_engine", process)["NodeList"]
            cut = crash(nodes[node], node)
            assert states()[node].startswith("down")
            table = finish(process, folder / "slurm")
        finally:
            process.kill()
        done = jobs()
    local = finish(start(folder / "local", cores=os.cpu_count()), folder / "local")
    return table, local, done, cut


def of(jobs, rule):
    return [job for job in jobs if is_of(job, rule)]


def test_the_table_is_that_of_a_local_run(runs):
    table, local, _, _ = runs
    assert table == local
    assert len(table) >= 2
    assert all(float(row["mAP"]) > 0 for row in table if row["mAP"])
    assert any(row["mAP"] for row in table)


def test_what_the_dead_node_ran_ran_again_elsewhere(runs):
    _, _, done, cut = runs
    failed = [job for job in done if job["JobState"] == "NODE_FAIL"]
    assert cut
    assert {job["JobId"] for job in failed} == cut
    for job in failed:
        again = [other for other in done if other["Comment"] == job["Comment"] and other["JobState"] == "COMPLETED"]
        assert [other["NodeList"] != job["NodeList"] for other in again] == [True]


def test_timed_jobs_have_their_node_and_gpu_alone(runs):
    timed = of(runs[2], "measure_speed")
    assert len(timed) >= 2
    for job in timed:
        assert job["OverSubscribe"] == "NO"  # --exclusive
        assert job["TresPerJob"] == "gres:gpu:h100:1"


def test_builds_share_a_node_and_have_the_gpu_model_too(runs):
    for job in of(runs[2], "build_engine"):
        assert job["OverSubscribe"] == "OK"
        assert job["TresPerJob"] == "gres:gpu:h100:1"


def test_what_needs_no_gpu_takes_none(runs):
    exported = of(runs[2], "export_onnx")
    assert exported
    assert {job["TresPerJob"] for job in exported} == {"gres:gpu:h100:0"}


def test_tables_are_made_where_snakemake_runs(runs):
    assert of(runs[2], "render_table") == []
    assert of(runs[2], "measure_accuracy")
