"""Folders that one may work in: those that cannot do are refused before anything is installed."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def make(folder):
    folder.mkdir()
    shutil.copy(ROOT / "Makefile", folder)
    command = ["make", "--dry-run", "SPEEDMAP_ENV=cpu", "runs/a"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", ["My Projects", "it's", 'a"b', "a&b", "a(b)", "tab\there", "dollar$"])
def test_make_refuses_a_path_that_snakemake_cannot_start_python_from(tmp_path, name):
    done = make(tmp_path / name)
    assert done.returncode == 2
    assert "has a space or another special character in its path; move the clone" in done.stderr


@pytest.mark.parametrize("name", ["Übung", "日本", "a-b_c.d+e@f,h"])
def test_make_works_below_other_paths(tmp_path, name):
    assert make(tmp_path / name).returncode == 0
