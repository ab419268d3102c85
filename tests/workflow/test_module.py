"""The workflow in other folders: a module under a prefix, from a hosted release, laid out by snakedeploy."""

import json
import shutil
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from helpers.snakemake_run import ROOT, forked, planned, started

PARTS = ("workflow", "config", "envs", "profiles", "Snakefile", "LICENSE")
PREFIX = '    prefix: "speed"\n    config:'
TINY = {
    "backend": "null", "torch": False, "precisions": ["fp16"], "shapes": ["static"], "imgsz": 128,
    "models": {"mini": {"weights": "data/yolov5s-mini.safetensors"}},
    "dataset": {"name": "mine", "images": "data/images", "annotations": "data/instances.json",
                "calibration": "data/calibration", "limit": 4},
    "speed": {"warmup_s": 0, "min_s": 0.1, "min_samples": 20},
}  # fmt: skip
pytestmark = pytest.mark.workflow


def git(folder, *words):
    code, output = started(["git", "-c", "user.name=a", "-c", "user.email=a@b.org", *words], folder)
    assert code == 0, output
    return output.strip()


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """A repository whose address reads like a hosted one's, with a release of what lies here."""
    folder = tmp_path_factory.mktemp("git") / "github.com/acme/speedmap"
    listed = git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *PARTS).split("\0")
    for name in filter(None, listed):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name, follow_symlinks=False)
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "a release")
    git(folder, "tag", "v1.2.3")
    return folder


@pytest.fixture(scope="module")
def deployed(repository, tmp_path_factory):
    """A folder that snakedeploy made from the release, and the variables by which Snakemake fetches that offline."""
    pytest.importorskip("snakedeploy", reason="is in envs/dev.txt")
    folder = tmp_path_factory.mktemp("deployed") / "here"
    made = [
        Path(sys.executable).with_name("snakedeploy"),
        "deploy-workflow",
        f"file://{repository}",
        folder,
        "--tag",
        "v1.2.3",
    ]
    code, output = started(made, repository)
    assert code == 0, output
    cache = folder.parent / "cache"
    clone = cache / "snakemake/snakemake/source-cache/snakemake-git-cache/github.com/acme/speedmap"
    clone.parent.mkdir(parents=True)
    git(folder, "clone", "--quiet", "--bare", repository, clone)
    (folder / "data").symlink_to(ROOT / "sample")
    return folder, {"XDG_CACHE_HOME": str(cache)}


def test_what_snakedeploy_lays_out_plans_the_fetching_of_coco(deployed):
    folder, variables = deployed
    assert (
        'github("acme/speedmap", path="workflow/Snakefile", tag="v1.2.3")'
        in (folder / "workflow/Snakefile").read_text()
    )
    code, output = forked(["--dry-run", "--config", "backend=openvino"], folder, variables)
    assert code == 0, output
    assert "output: resources/coco/val2017" in output
    assert (planned(output)["fetch"], planned(output)["fetch_folder"]) == (4, 2)
    assert planned(output)["measure_speed"] == 5


def test_a_module_from_a_release_runs_under_a_prefix_and_is_reported(deployed, repository):
    folder, variables = deployed
    path = folder / "workflow/Snakefile"
    path.write_text(path.read_text().replace("    config:", PREFIX))
    (folder / "config/config.yaml").write_text(yaml.safe_dump(TINY))
    targets = "speed/results/table.md", "speed/results/history.svg"
    code, output = forked(["--cores", 2, "--", *targets], folder, variables)
    assert code == 0, output
    assert {"config", "data", "profiles", "speed", "workflow", "LICENSE"} == {
        entry.name for entry in folder.iterdir() if not entry.name.startswith(".")
    }
    record = json.loads((folder / "speed/results/null/mini-fp16-static/speed.json").read_text())
    assert record["environment"]["commit"] == git(repository, "rev-parse", "HEAD")
    assert "Nothing to be done" in forked(["--dry-run", "--", *targets], folder, variables)[1]
    code, output = forked(["--report", "report.zip", "--", *targets], folder, variables)
    assert code == 0, output
    with zipfile.ZipFile(folder / "report.zip") as file:
        names = file.namelist()
        text = file.read(next(name for name in names if name.endswith("report.html"))).decode()
    assert [name.rpartition("/")[2] for name in names if name.endswith(".svg")] != []
    assert "over time, with their 95% intervals" in text


def test_a_module_takes_the_users_files_where_they_are_and_puts_its_own_under_the_prefix(tmp_path):
    config = yaml.safe_load((ROOT / "config/coco.yaml").read_text()) | {"backend": "openvino"}
    config["models"] = {"mine": {"weights": "data/yolov5s-mini.safetensors"}}
    (tmp_path / "data").symlink_to(ROOT / "sample")
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    (tmp_path / "Snakefile").write_text(
        'configfile: "config.yaml"\n\nrule all:\n    input:\n        "speed/results/table.md"\n\n'
        f'module speedmap:\n    snakefile:\n        "{ROOT}/workflow/Snakefile"\n    prefix:\n        "speed"\n'
        "    config:\n        config\n\nuse rule * from speedmap as speedmap_*\n"
    )
    code, output = forked(["--dry-run"], tmp_path)
    assert code == 0, output
    assert "input: data/yolov5s-mini.safetensors, speed/results/images.json" in output
    assert "input: speed/resources/coco/val2017, speed/resources/coco/instances_val2017.json" in output
    assert "speedmap_render_table" in output
    assert "speedmap_render_report" not in output  # the user's own rule `all` is the default


def test_the_workflow_runs_from_another_folder_on_the_config_there(tmp_path):
    (tmp_path / "data").symlink_to(ROOT / "sample")
    (tmp_path / "config").mkdir()
    (tmp_path / "config/config.yaml").write_text(yaml.safe_dump({**TINY, "backend": "openvino"}))
    words = ("--snakefile", ROOT / "workflow/Snakefile", "--directory", tmp_path, "--dry-run")
    code, output = forked(words, ROOT.parent)
    assert code == 0, output
    assert "rule render_report" in output
    assert "workflow specific profile" in output
    assert {entry.name for entry in tmp_path.iterdir()} == {"config", "data", ".snakemake"}
