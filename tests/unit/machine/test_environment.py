import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from speedmap.errors import UserError
from speedmap.machine import environment

LIBRARY = Path(environment.__file__).parents[1]
SHA = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def commit_of(tmp_path, monkeypatch):
    """Ask a copy of the library in an empty folder for its commit; steps: git commands that are run there before."""
    for name in environment.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    shutil.copytree(LIBRARY, tmp_path / "speedmap", ignore=shutil.ignore_patterns("__pycache__"))
    told = (
        "import sys; sys.dont_write_bytecode = True\n"
        "from speedmap.machine import environment; print(environment.commit())"
    )

    def ask(*steps, **variables):
        for step in steps:
            subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=b", *step], cwd=tmp_path, check=True)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        done = subprocess.run([sys.executable, "-c", told], cwd=tmp_path, capture_output=True, text=True, check=True)
        return ast.literal_eval(done.stdout)

    return ask


def test_git_names_the_commit_whatever_a_variable_says(commit_of):
    found = commit_of(["init", "-q"], ["add", "."], ["commit", "-qm", "x"], GITHUB_SHA=SHA)
    assert found["commit_from"] == "git"
    assert found["commit"] != SHA
    assert found["dirty"] is False


def test_a_changed_file_is_told(commit_of, tmp_path):
    commit_of(["init", "-q"], ["add", "."], ["commit", "-qm", "x"])
    (tmp_path / "speedmap/errors/__init__.py").open("a").write("\n")
    assert commit_of()["dirty"] is True


def test_publishing_changes_no_code(commit_of, tmp_path):
    (tmp_path / "results/published").mkdir(parents=True)
    (tmp_path / "results/published/index.csv").touch()
    commit_of(["init", "-q"], ["add", "."], ["commit", "-qm", "x"])
    (tmp_path / "results/published/index.csv").write_text("a line")
    assert commit_of()["dirty"] is False


def test_without_git_a_variable_names_the_commit_and_nobody_knows_of_changes(commit_of):
    assert commit_of() == {}
    assert commit_of(GITHUB_SHA=SHA) == {"commit": SHA, "commit_from": "GITHUB_SHA"}
    assert commit_of(SPEEDMAP_COMMIT=SHA[::-1])["commit_from"] == "SPEEDMAP_COMMIT"


def test_a_clone_of_something_else_around_the_code_does_not_count(commit_of, tmp_path):
    (tmp_path / "other").write_text("")
    found = commit_of(["init", "-q"], ["add", "other"], ["commit", "-qm", "x"], CI_COMMIT_SHA=SHA)
    assert found == {"commit": SHA, "commit_from": "CI_COMMIT_SHA"}


def test_a_variable_that_names_no_commit_is_refused(monkeypatch):
    monkeypatch.setenv("SPEEDMAP_COMMIT", "main")
    with pytest.raises(UserError, match="SPEEDMAP_COMMIT=main names no commit"):
        environment._named()


@pytest.mark.parametrize(("limit", "cores"), [(None, 6), ("max 100000", 6), ("250000 100000", 2), ("50000 100000", 1)])
def test_a_containers_quota_limits_the_cores(tmp_path, monkeypatch, limit, cores):
    monkeypatch.setattr(environment.os, "sched_getaffinity", lambda pid: range(6))
    monkeypatch.setattr(environment, "_siblings", str)
    if limit:
        (tmp_path / "sys/fs/cgroup").mkdir(parents=True)
        (tmp_path / "sys/fs/cgroup/cpu.max").write_text(f"{limit}\n")
    assert environment.physical_cores(tmp_path) == cores
