import re
from pathlib import Path

import pytest
import yaml

ENVS = Path("envs")
CUDA_OF_TORCH = {"2.10.0": "12", "2.13.0": "13"}  # what the package index's build requires, pip refuses another


def pins(name):
    lines = (ENVS / name).read_text().splitlines()
    below = [pin for line in lines if line.startswith("-r ") for pin in pins(line.removeprefix("-r "))]
    return below + [line for line in lines if line and not line.startswith(("#", "-r "))]


@pytest.mark.parametrize("path", sorted(ENVS.glob("*.yaml")), ids=lambda path: path.stem)
def test_conda_and_pip_have_the_same_pins(path):
    dependencies = yaml.safe_load(path.read_text())["dependencies"]
    assert dependencies[-1]["pip"] == pins(f"{path.stem}.txt")


def test_the_environments_that_rules_name_are_there():
    named = set(re.findall(r'envs/(\w+\.yaml)"', Path("workflow/rules/common.smk").read_text()))
    assert named == {path.name for path in ENVS.glob("*.yaml")}


@pytest.mark.parametrize("path", sorted(ENVS.glob("*.txt")), ids=lambda path: path.stem)
def test_every_package_is_pinned_once(path):
    names = [pin.split("==")[0] for pin in pins(path.name)]
    assert all("==" in pin for pin in pins(path.name))
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("path", sorted(ENVS.glob("gpu*.txt")), ids=lambda path: path.stem)
def test_torch_and_the_bindings_are_for_one_cuda(path):
    versions = dict(pin.split("==") for pin in pins(path.name))
    assert versions["cuda-bindings"].split(".")[0] == CUDA_OF_TORCH[versions["torch"]]
