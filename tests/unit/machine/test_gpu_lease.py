"""Leases of GPUs, between real processes on GPUs that a stand-in for NVML pretends."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from itertools import combinations
from pathlib import Path

import pytest

from speedmap.machine import gpu_lease, monitor, nvml
from speedmap.results.timing_findings import OtherGpusBusy

ROOT = Path(__file__).parents[3]
FAKES = ROOT / "tests/fakes"
HOLD = """
import json, os, sys, time
from pathlib import Path
from speedmap.machine import gpu_lease

folder, kind, seconds = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])
with gpu_lease.lease(True, kind == "alone", folder) as run:
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    print(json.dumps(run["gpu"]), flush=True)
    time.sleep(seconds)
print(json.dumps(run | {"visible": visible, "kind": kind}), flush=True)
"""


@pytest.fixture
def host(monkeypatch):
    """Pretend a host's GPUs to this process; returns the module that stands in for pynvml."""
    monkeypatch.syspath_prepend(FAKES)
    monkeypatch.delitem(sys.modules, "pynvml", raising=False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # so that it is put back however a lease leaves it
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")

    def pretend(names):
        monkeypatch.setenv("FAKE_GPUS", names)

    yield pretend
    sys.modules.pop("pynvml", None)


@pytest.fixture
def hold(tmp_path):
    """Start processes that hold a GPU for some seconds; ends what is left of them."""
    started = []

    def start(kind, seconds, names="H100,H100", **environment):
        paths = os.pathsep.join(map(str, (FAKES, ROOT / "workflow/scripts")))
        variables = {key: value for key, value in os.environ.items() if key != "CUDA_VISIBLE_DEVICES"}
        variables |= {"PYTHONPATH": paths, "FAKE_GPUS": names, **environment}
        command = [sys.executable, "-c", HOLD, str(tmp_path), kind, str(seconds)]
        process = subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def finished(processes):
    return [json.loads(process.communicate(timeout=60)[0].splitlines()[-1]) for process in processes]


def overlap(first, second):
    return first["gpu"] == second["gpu"] and first["start"] < second["end"] and second["start"] < first["end"]


def test_jobs_that_must_be_alone_never_share_a_gpu_and_use_all_of_them(hold):
    runs = finished([hold("alone", 0.2) for _ in range(6)])
    assert {run["visible"] for run in runs} == {"GPU-000-fake", "GPU-111-fake"}
    assert [pair for pair in combinations(runs, 2) if overlap(*pair)] == []


def test_nobody_joins_a_job_that_is_alone_and_it_joins_nobody(hold):
    runs = finished([hold(kind, 0.2, "H100") for kind in ("shared", "alone", "shared", "shared", "alone")])
    mixed = [pair for pair in combinations(runs, 2) if "alone" in {run["kind"] for run in pair}]
    assert len(mixed) == 7
    assert [pair for pair in mixed if overlap(*pair)] == []


def test_jobs_that_may_share_spread_over_the_gpus(hold):
    sharing = [hold("shared", 60) for _ in range(4)]
    held = [json.loads(process.stdout.readline())["index"] for process in sharing]
    assert sorted(held) == [0, 0, 1, 1]
    sharing[held.index(1)].kill()
    sharing[held.index(1)].wait()
    assert finished([hold("shared", 0)])[0]["gpu"]["index"] == 1


def test_a_place_that_became_free_draws_nobody_to_the_gpu_with_more_jobs(hold):
    sharing = []
    for _ in range(4):  # one after the other: GPU 0, 1, 0, 1
        sharing.append(hold("shared", 60))
        sharing[-1].stdout.readline()
    sharing.append(hold("shared", 60))
    assert json.loads(sharing[-1].stdout.readline())["index"] == 0
    sharing[0].kill()  # which leaves the first place there free, and two jobs on either
    sharing[0].wait()
    sharing[1].kill()
    sharing[1].wait()
    assert finished([hold("shared", 0)])[0]["gpu"]["index"] == 1


def test_who_waits_to_be_alone_is_not_overtaken(hold):
    first = hold("shared", 1, "H100")
    first.stdout.readline()
    alone = hold("alone", 0.1, "H100")
    time.sleep(0.5)  # it waits by now, or starts later than the next, which the test then shows nothing about
    late = hold("shared", 0, "H100")
    first, alone, late = finished([first, alone, late])
    assert first["end"] <= alone["start"]
    assert alone["end"] <= late["start"]


def test_the_gpu_of_a_killed_job_is_free_at_once(hold):
    killed = hold("alone", 60, "H100")
    killed.stdout.readline()
    waiting = hold("alone", 0, "H100")
    assert "waiting for one of 1 GPUs" in waiting.stderr.readline()
    assert waiting.poll() is None
    os.kill(killed.pid, signal.SIGKILL)
    assert finished([waiting])[0]["gpu"] == {"index": 0, "uuid": "GPU-000-fake"}


def test_only_gpus_of_the_first_ones_model_are_used(host, monkeypatch):
    host("H100,L4,H100")
    assert [place.index for place in gpu_lease.candidates()] == [0, 2]
    assert gpu_lease.left_out() == "GPU 1 (L4): not used beside H100; choose by CUDA_VISIBLE_DEVICES"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,0")
    assert [place.index for place in gpu_lease.candidates()] == [1]
    assert gpu_lease.left_out() == "GPU 0 (H100): not used beside L4; choose by CUDA_VISIBLE_DEVICES"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,0")
    assert gpu_lease.left_out() == ""


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        (None, [0, 1, 2]),
        ("2, 0", [2, 0]),
        ("GPU-111-fake", [1]),
        ("GPU-22,0", [2, 0]),
        ("1,9,0", [1]),  # as CUDA does
    ],
)
def test_gpus_are_named_by_index_or_uuid(host, monkeypatch, named, expected):
    host("H100,H100,H100")
    if named is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    assert [gpu.place().index for gpu in nvml.visible()] == expected
    assert nvml.Gpu().place().index == expected[0]


@pytest.mark.parametrize("named", ["", "-1", "NoDevFiles", "GPU-"])
def test_no_gpu_is_left(host, monkeypatch, named):
    host("H100,H100")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    with pytest.raises(nvml.NoGpu, match="CUDA_VISIBLE_DEVICES is"):
        nvml.visible()


def test_a_part_of_a_gpu_is_refused(host, monkeypatch):
    host("H100")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-123")
    with pytest.raises(nvml.NoGpu, match="MIG-123 is a MIG slice"):
        nvml.Gpu()


def test_a_lost_gpu_is_passed_over(host):
    host("lost,H100")
    assert gpu_lease.candidates() == [nvml.Place(1, "GPU-111-fake")]


def test_the_platform_is_the_same_on_every_gpu_of_a_model(host, monkeypatch):
    host("H100,H100")
    identities = []
    for index in range(2):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", str(index))
        identities.append(nvml.Gpu().identity())
    assert identities[0] == identities[1]


def test_an_engine_on_the_cpu_holds_no_gpu(host, tmp_path):
    host("H100")
    with gpu_lease.lease(False, alone=True, folder=tmp_path) as run:
        assert "CUDA_VISIBLE_DEVICES" not in os.environ
    assert run["gpu"] is None
    assert run["start"] <= run["end"]
    assert list(tmp_path.iterdir()) == []


def test_without_a_gpu_a_job_for_one_runs_all_the_same(host, tmp_path):
    host("")
    with gpu_lease.lease(True, alone=True, folder=tmp_path) as run:
        pass
    assert run["gpu"] is None


@pytest.mark.parametrize("before", [None, "1,0"])
def test_a_process_sees_the_gpu_it_had_and_no_other_for_good(host, monkeypatch, tmp_path, before):
    host("H100,H100")
    if before:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", before)
    with suppress(KeyError), gpu_lease.lease(True, alone=True, folder=tmp_path) as run:
        raise KeyError
    assert os.environ["CUDA_VISIBLE_DEVICES"] == run["gpu"]["uuid"]
    assert [gpu.place()._asdict() for gpu in nvml.visible()] == [run["gpu"]]
    assert run["gpu"]["index"] == (1 if before else 0)


def test_beside_a_gpu_that_mig_splits_the_whole_one_is_named_since_cuda_would_show_a_slice(host, tmp_path):
    host("sliced,H100")
    with gpu_lease.lease(True, alone=True, folder=tmp_path) as run:
        assert os.environ["CUDA_VISIBLE_DEVICES"] == run["gpu"]["uuid"] == "GPU-111-fake"


@pytest.mark.parametrize("job", ["measure_speed", "measure_accuracy", "measure_peaks", "build_engine"])
def test_a_job_on_a_gpu_counts_them_as_nvml_does(job):
    program = f"import os, {job}; print(os.environ['CUDA_DEVICE_ORDER'])"
    variables = {key: value for key, value in os.environ.items() if key != "CUDA_DEVICE_ORDER"}
    variables |= {"PYTHONPATH": str(ROOT / "workflow/scripts")}
    ran = subprocess.run([sys.executable, "-c", program], env=variables, capture_output=True, text=True, check=True)
    assert ran.stdout == "PCI_BUS_ID\n"


def test_what_runs_on_the_other_gpus_is_recorded_and_marked(host, monkeypatch):
    host("H100=0,H100=80,L4=0")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-000-fake")
    with monitor.watch() as watched:
        time.sleep(0.15)
    assert watched.result.setting["others"] == {"1": "GPU-111-fake", "2": "GPU-222-fake"}
    assert watched.result.setting["index"] == 0
    assert watched.result.neighbours == {"1": 0.8, "2": 0.0}
    assert OtherGpusBusy(0.8) in watched.result.warnings
    assert watched.result.ranges["others_share"][0] >= 0


def test_what_runs_on_no_gpu_is_watched_on_the_cpu(host):
    host("H100=99")
    with monitor.watch(gpu=False) as watched:
        time.sleep(0.15)
    assert "gpu" not in watched.result.setting


def test_idle_gpus_beside_are_no_mark(host):
    host("H100=99,H100=0")
    with monitor.watch() as watched:
        time.sleep(0.15)
    assert watched.result.neighbours == {"1": 0.0}
    assert not any(isinstance(warning, OtherGpusBusy) for warning in watched.result.warnings)


@pytest.mark.parametrize(("names", "expected"), [("H100", None), ("H100,H100", "0")])
def test_a_gpu_without_uuid_is_named_by_its_index_and_only_beside_others(host, tmp_path, monkeypatch, names, expected):
    host(names)
    monkeypatch.setattr(nvml.Gpu, "place", lambda gpu: nvml.Place(gpu.ask("Index"), None))
    with gpu_lease.lease(True, True, tmp_path) as run:
        assert os.environ.get("CUDA_VISIBLE_DEVICES") == expected
    assert run["gpu"] == {"index": 0, "uuid": None}
    assert (tmp_path / "speedmap-0.lock").exists()
