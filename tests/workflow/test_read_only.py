"""What only looks: parsing, planning and linting change no file and need Snakemake alone."""

import hashlib
import subprocess
import sys
from importlib import metadata

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from helpers.snakemake_run import ROOT, overlay, planned, prepare, run

SNAKEMAKES = {(".snakemake", "log"), (".snakemake", "iocache")}
LOOKING = {
    "plan": ["--dry-run"],
    "summary": ["--summary"],
    "lint": ["--lint"],
    "rules": ["--rulegraph"],
}
DEAD_RUN = [  # what a run that was killed or failed leaves behind
    "results/table.partial.md",
    "results/table.md",
    "results/.table.csv.0.part",
    "results/openvino/yolov5s-mini-fp16-static/.engine.0.part",
    "results/openvino/yolov5s-mini-fp16-static/speed.json",
    "results/dataset.json",
    "resources/coco/.val2017.zip.part",
    "logs/openvino/yolov5s-mini-fp16-static/measure_speed.log",
    ".snakemake/locks/0.input.lock",
    ".snakemake/locks/0.output.lock",
    ".snakemake/incomplete/cmVzdWx0cy90YWJsZS5tZA==",
]
pytestmark = pytest.mark.workflow


def files(folder):
    """Hash all files but Snakemake's own logs and cache, with the times at which they were changed."""
    return {
        str(path.relative_to(folder)): (hashlib.sha256(path.read_bytes()).hexdigest(), path.lstat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file() and path.relative_to(folder).parts[:2] not in SNAKEMAKES
    }


@pytest.mark.parametrize("arguments", LOOKING.values(), ids=LOOKING)
def test_looking_at_a_dead_run_changes_no_file(tmp_path, arguments):
    prepare(tmp_path)
    for name in DEAD_RUN:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    options = overlay(tmp_path, {"backend": "openvino"})
    before = files(tmp_path)
    assert set(DEAD_RUN) <= before.keys()
    code, output = run(tmp_path, *options, *arguments)
    assert code == 0, output
    assert files(tmp_path) == before


def beside(distribution):
    """Name the importable packages that are installed but no part of a distribution or of what it requires."""
    needed, waiting = set(), [distribution]
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name not in needed:
            needed.add(name)
            required = map(Requirement, metadata.requires(name) or ())
            waiting += [one.name for one in required if not one.marker or one.marker.evaluate({"extra": ""})]
    installed = metadata.packages_distributions()
    return {name for name, owners in installed.items() if not needed & set(map(canonicalize_name, owners))}


@pytest.fixture(scope="module")
def snakemake_alone():
    """Variables of an environment in which nothing is installed but Snakemake and what that requires."""
    refused = beside("snakemake")
    assert {"numpy", "onnx", "torch", "openvino", "msgspec", "cv2"} <= refused
    assert not {"snakemake", "yaml", "jsonschema"} & refused
    return {"PYTHONPATH": str(ROOT / "tests/fakes/without"), "WITHOUT": ",".join(refused)}


def test_packages_can_be_refused(snakemake_alone):
    done = subprocess.run([sys.executable, "-c", "import numpy"], env=snakemake_alone, capture_output=True, text=True)
    assert "No module named 'numpy'" in done.stderr


@pytest.mark.parametrize("config", ["config.yaml", "config/coco.yaml"])
def test_snakemake_alone_plans_for_a_backend_that_is_named(tmp_path, snakemake_alone, config):
    changes = {**yaml.safe_load((ROOT / config).read_text()), "backend": "openvino"}
    options = overlay(prepare(tmp_path), changes)
    code, output = run(tmp_path, *options, "--dry-run", environment=snakemake_alone, imported=False)
    assert code == 0, output
    assert {"measure_speed", "measure_accuracy", "render_table"} <= planned(output).keys()


def test_snakemake_alone_lints(tmp_path, snakemake_alone):
    options = overlay(prepare(tmp_path), {"backend": "openvino"})
    code, output = run(tmp_path, *options, "--lint", environment=snakemake_alone, imported=False)
    assert code == 0, output
    assert "Congratulations" in output
