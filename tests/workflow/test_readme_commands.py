"""README's commands, typed as they stand and in their order: in a fresh clone, then in a folder of one's own."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from helpers import yolo
from helpers.snakemake_run import ROOT

pytestmark = pytest.mark.workflow

README = (ROOT / "README.md").read_text("utf-8")
TYPED = r"(?:make|snakemake|python|\.) [^`\n]+"
COMMANDS = re.findall(rf"^    ({TYPED})$|`({TYPED})`", README, re.MULTILINE)
COMMANDS = [re.sub(r" +#.*", "", block or inline) for block, inline in COMMANDS]
MINE = r"measure_speed +5\n"  # of one model: FP16 and INT8, dynamic and static, and torch
CLONED = ("Makefile", "Snakefile", "config.yaml", "README.md", "config", "envs", "examples", "profiles", "workflow")
# Nothing runs: plans are made, and the example says of itself how it is called. A command that is not found fails.
DRY = r"""
set -e
snakemake() { command snakemake --dry-run --quiet rules host "$@"; }
make() { command make --dry-run SPEEDMAP_ENV=cpu "$@"; }
python() { command python "$1" 2>&1 | grep -Fx "python $*"; }
"""


def own(folder):
    """Make what README supposes in a folder: a checkpoint, a data set, an engine, and the configs as they stand."""
    truth = json.loads((ROOT / "sample/instances.json").read_text())
    (folder / "few.json").write_text(json.dumps({**truth, "images": truth["images"][:2]}))
    spare = sorted((ROOT / "sample/calibration").iterdir())[:2]
    yolo.write(folder / "data", folder / "few.json", ROOT / "sample/images", spare)
    shutil.copy(ROOT / "sample/yolov5s-mini.safetensors", folder / "best.pt")  # a plan looks for it, not into it
    (folder / "theirs.xml").touch()
    for name, block in re.findall(r"^    # (\w+\.yaml).*\n((?:    .*\n)+)", README, re.MULTILINE):
        (folder / name).write_text(re.sub("^    ", "", block, flags=re.MULTILINE))


@pytest.fixture
def clone(tmp_path):
    """Make a clone in which the environment is installed and nothing has run, with a folder of one's own in it."""
    if not Path(sys.prefix, "bin/activate").is_file():
        pytest.skip("no virtual environment to activate")
    folder = tmp_path / "speedmap"
    folder.mkdir()
    for name in CLONED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / name)
    (folder / "sample").symlink_to(ROOT / "sample")
    (folder / ".venv").symlink_to(sys.prefix)
    (folder / "path/to/mine").mkdir(parents=True)
    for place in (folder, folder / "path/to/mine"):
        own(place)
    return folder


def typed(commands, folder):
    """Type commands in one shell that has nothing of this environment; returns what each printed."""
    variables = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ}
    script = DRY + "".join(f"echo '$' {index}\n{command}\n" for index, command in enumerate(commands))
    done = subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, text=True, check=False,
                          env={**variables, "PATH": "/usr/bin:/bin"})  # fmt: skip
    said = re.split(r"^\$ \d+\n", done.stdout, flags=re.MULTILINE)[1:]
    assert done.returncode == 0, f"{commands[len(said) - 1]}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
    return dict(zip(commands, said, strict=True))


def test_commands_are_typed_in_a_fresh_clone_and_in_a_folder_of_ones_own(clone, tmp_path):
    elsewhere = [command for command in COMMANDS if "path/to/speedmap" in command]
    said = typed([command for command in COMMANDS if command not in elsewhere], clone)
    assert len(said) > 12
    plans = {command: text for command, text in said.items() if command.startswith("snakemake ")}
    assert all("Job stats:" in text for text in plans.values()), plans
    assert "--configfile mine.yaml -- results/table.md" in said["make table CONFIG=mine.yaml"]
    assert not (clone / "results").exists()
    assert re.search(MINE, next(text for command, text in plans.items() if "--directory" in command))

    mine = tmp_path / "mine"
    (mine / "path/to").mkdir(parents=True)
    (mine / "path/to/speedmap").symlink_to(clone)
    own(mine)
    active = ". path/to/speedmap/.venv/bin/activate"
    (plan,) = (text for command, text in typed([active, *elsewhere], mine).items() if command in elsewhere)
    assert re.search(MINE, plan)
