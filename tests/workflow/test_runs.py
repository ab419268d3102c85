"""Folders to run in, one a kind of machine."""

import os
import subprocess

import pytest
import yaml

from helpers.snakemake_run import ROOT, run
from speedmap.publishing import folders

pytestmark = pytest.mark.workflow

A100 = {"tensorrt": "10.13.3", "gpu": "NVIDIA A100-SXM4-80GB", "compute_capability": "8.0", "driver": "570.1",
        "cuda_driver": "12.8"}  # fmt: skip
L4 = {**A100, "gpu": "NVIDIA L4", "compute_capability": "8.9"}


@pytest.fixture
def clone(tmp_path):
    """Make a clone in which nothing has run."""
    for name in ("Makefile", "config.yaml", "config", "sample"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


def plan(clone, name, backend, platform):
    """Plan to publish in a run folder of a platform that this machine is not; returns (exit code, output)."""
    subprocess.run(["make", f"runs/{name}"], cwd=clone, check=True, capture_output=True)
    config = clone / f"{name}.yaml"
    config.write_text(yaml.safe_dump({"backend": backend, "platform": platform}))
    return run(clone / "runs" / name, "--configfile", config, "--dry-run", "--", "publish")


def test_kinds_of_machines_have_folders_apart_and_one_place_to_publish_to(clone):
    for name, platform in (("a100", A100), ("l4", L4)):
        code, output = plan(clone, name, "tensorrt", platform)
        assert code == 0, output
        assert f"output: results/published/{folders.folder('tensorrt', platform)}/published.json" in output
        assert os.path.realpath(clone / f"runs/{name}/results/published") == str(clone / "results/published")
        assert "output: results/tensorrt/yolov5s-mini-fp16-static/speed.json" in output
    assert folders.folder("tensorrt", A100) != folders.folder("tensorrt", L4)
    assert not (clone / "runs/a100/results").samefile(clone / "runs/l4/results")


def test_a_platform_needs_its_backend(clone):
    code, output = plan(clone, "a100", "auto", A100)
    assert code != 0
    assert "platform: is given, but for which backend?" in output
