import fcntl
import subprocess
import sys
from contextlib import contextmanager

import pytest

from speedmap.run import workdir_lock

HOLD = "import fcntl, sys; file = open(sys.argv[1], 'a'); fcntl.flock(file, fcntl.LOCK_SH); print(flush=True); input()"


@pytest.fixture
def left(tmp_path):
    """Give the folders of a run that was killed: its lock, half a record, half a download, and what is whole."""
    state, results = tmp_path / ".snakemake", tmp_path / "results"
    (state / "locks").mkdir(parents=True)
    (state / "locks/0.output.lock").write_text("results/table.md\n")
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


def test_what_a_dead_run_left_is_taken_away(left):
    with workdir_lock.take_over(*left, main=True):
        assert not (left[0] / "locks").exists()
        assert names(left[1]) == {"speed.json", "images.zip.part", ".hidden.part"}


@pytest.mark.parametrize("main", [True, False])
def test_what_a_run_that_lives_has_is_left_alone(left, main):
    with another(left[0]), workdir_lock.take_over(*left, main=main):
        assert (left[0] / "locks/0.output.lock").exists()
        assert ".speed.json.123.part" in names(left[1])


def test_a_job_takes_nothing_away(left):
    with workdir_lock.take_over(*left, main=False):
        assert (left[0] / "locks/0.output.lock").exists()


def test_a_run_that_was_killed_a_moment_ago_is_dead(left):
    with another(left[0]) as process:
        process.kill()
        process.wait()
        with workdir_lock.take_over(*left, main=True):
            assert not (left[0] / "locks").exists()


def test_a_file_system_without_locks_is_left_to_snakemake(left, monkeypatch):
    def refuse(_file, _how):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", refuse)
    assert workdir_lock.take_over(*left, main=True) is None
    assert (left[0] / "locks/0.output.lock").exists()


def test_a_folder_that_cannot_be_written_to_is_left_to_snakemake(left):
    (left[0] / "alive").mkdir()  # as good as another user's file, and so to root, too
    assert workdir_lock.take_over(*left, main=True) is None
    assert (left[0] / "locks/0.output.lock").exists()
