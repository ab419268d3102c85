import fcntl
import subprocess
import sys
from contextlib import contextmanager

import pytest

from speedmap.run import workdir_lock
from speedmap.run.workdir_lock import LockError

HOLD = "import fcntl, sys; file = open(sys.argv[1], 'a'); fcntl.flock(file, fcntl.LOCK_SH); print(flush=True); input()"
TAKE = """
import sys
from pathlib import Path
sys.path.insert(0, "workflow/scripts")
from speedmap.run import workdir_lock
try:
    workdir_lock.take(*map(Path, sys.argv[1:]))
except workdir_lock.LockError as error:
    print(error)
"""


@pytest.fixture
def left(tmp_path):
    """Return the folders of a run that was killed: half a record, half a download, and what is whole."""
    state, results = tmp_path / ".snakemake", tmp_path / "results"
    state.mkdir()
    (results / "cell").mkdir(parents=True)
    for name in (".speed.json.123.part", "speed.json", "images.zip.part", ".hidden.part"):
        (results / "cell" / name).touch()
    return state, results


@contextmanager
def another(state):
    """Let another process hold the lock of the directory."""
    command = [sys.executable, "-c", HOLD, state / "alive"]
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True) as process:
        process.stdout.readline()
        yield process
        if process.poll() is None:
            process.communicate("\n")


def names(results):
    return {path.name for path in (results / "cell").iterdir()}


@pytest.fixture(autouse=True)
def released(monkeypatch):
    """Let go of all locks after each test."""
    monkeypatch.setattr(workdir_lock, "HELD", [])
    yield
    for file in workdir_lock.HELD:
        file.close()


def test_what_a_dead_run_left_is_taken_away(left):
    workdir_lock.take(*left)
    assert names(left[1]) == {"speed.json", "images.zip.part", ".hidden.part"}


def test_what_a_run_that_lives_has_is_left_alone(left):
    with another(left[0]) as process, pytest.raises(LockError) as refused:
        workdir_lock.take(*left)
    assert f"another run, or a job of one, works here (process {process.pid}); wait for it, or end it" in str(
        refused.value
    )
    assert ".speed.json.123.part" in names(left[1])
    assert workdir_lock.HELD == []


def test_a_job_shares_the_lock_and_takes_nothing_away(left):
    with another(left[0]):
        workdir_lock.share(left[0])
    assert ".speed.json.123.part" in names(left[1])
    with pytest.raises(LockError):  # though the run is gone
        workdir_lock.take(*left)


def test_a_run_keeps_others_out_and_its_own_jobs_not(left):
    workdir_lock.take(*left)
    with another(left[0]):
        pass
    taken = [sys.executable, "-c", TAKE, *left]
    assert "another run" in subprocess.run(taken, capture_output=True, text=True, check=True).stdout


def test_a_run_that_was_killed_a_moment_ago_is_dead(left):
    with another(left[0]) as process:
        process.kill()
        process.wait()
        workdir_lock.take(*left)
    assert names(left[1]) == {"speed.json", "images.zip.part", ".hidden.part"}


def test_a_file_system_without_locks_is_told_and_nothing_taken_away(left, monkeypatch, capsys):
    def refuse(_file, _how):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", refuse)
    workdir_lock.take(*left)
    assert (
        "no locks on this file system (Operation not supported); let no other run work here" in capsys.readouterr().err
    )
    assert ".speed.json.123.part" in names(left[1])


def test_a_folder_that_cannot_be_written_to_is_refused(left):
    (left[0] / "alive").mkdir()  # as good as another user's file, and so to root, too
    with pytest.raises(LockError, match=r"alive: cannot be written"):
        workdir_lock.take(*left)
