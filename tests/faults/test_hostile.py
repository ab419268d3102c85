"""Checkpoints from strangers: every one is refused in one line, does nothing, and takes little time and memory."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hostile import HOSTILE, tensors

HERE, SCRIPTS = Path(__file__).parent, Path(__file__).parents[2] / "workflow/scripts"
SECONDS, MIB = 10, 500  # each, beyond the import of torch; one or two seconds are usual, more than ten a hang


@pytest.fixture(scope="module")
def opener():
    """Open a file in a fork of one process that has everything imported; returns what became of it."""
    command = [sys.executable, HERE / "opener.py"]
    environment = {**os.environ, "PYTHONPATH": str(SCRIPTS), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True, env=environment, cwd=SCRIPTS) as process:

        def open_file(path):
            print(path, file=process.stdin, flush=True)
            return json.loads(process.stdout.readline())

        yield open_file
        process.stdin.close()


@pytest.fixture
def file(tmp_path):
    """Return the path of a file to be made, alone in its folder, which is alone in its own."""
    folder = tmp_path / "folder"
    folder.mkdir()
    return folder / "model.pt"


def test_there_are_enough():
    assert len(HOSTILE) >= 100


def test_a_sound_file_is_read_so_that_refusals_mean_something(opener, file):
    import torch

    torch.save(tensors(), file)
    done = opener(file)
    assert done["code"] == 0, done
    assert (file.parent / "out/weights.safetensors").stat().st_size > 100_000


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_and_does_nothing(opener, file, noted, name):
    file = file.with_suffix(".safetensors") if name.startswith("safetensors") else file
    HOSTILE[name](file)
    before = file.read_bytes()
    noted(f"checkpoint: {name}")
    done = opener(file)
    assert done["code"] == 1
    assert done["said"].startswith(f"error: {file}: ")
    assert len(done["said"].splitlines()) == 1
    assert len(done["said"]) < 600
    assert done["seen"] == "[]"  # nothing was started, connected to, written or removed
    assert file.read_bytes() == before
    assert {path.name for path in file.parent.iterdir()} == {file.name, "out"}
    assert [path.name for path in (file.parent / "out").iterdir()] == ["log"]
    assert [path.name for path in file.parents[1].iterdir()] == ["folder"]
    assert done["seconds"] < SECONDS
    assert done["mib"] < MIB
    noted(f"checkpoint: {name}", done["said"].replace(f"{file.parent}/", ""))
