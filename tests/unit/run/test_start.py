"""How a run refuses to go on."""

import os
from pathlib import Path

import pytest

from speedmap.errors import UserError
from speedmap.run import start


def test_what_a_user_has_to_mend_ends_the_run_in_one_line():
    with pytest.raises(SystemExit) as ended, start.refusing():
        raise UserError("mine.yaml: imgsz:\n 600 is wrong")
    assert ended.value.code == "error: mine.yaml: imgsz: 600 is wrong"


def test_results_without_their_history_are_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert start.without_history() == ""
    (tmp_path / "results").mkdir()
    (tmp_path / "results/dataset.json").touch()
    assert start.without_history().startswith("results/ is here without its history in .snakemake")
    (tmp_path / ".snakemake/metadata").mkdir(parents=True)
    (tmp_path / ".snakemake/metadata/cmVzdWx0cw==").touch()
    assert start.without_history() == ""


def test_a_function_that_gives_a_rule_its_files_refuses_as_well():
    @start.refusing()
    def files(wildcards):
        raise UserError(f"nothing is published for {wildcards}")

    with pytest.raises(SystemExit, match=r"^error: nothing is published for x$"):
        files("x")


def test_other_errors_are_left_as_they_are():
    with pytest.raises(ZeroDivisionError), start.refusing():
        raise ZeroDivisionError


@pytest.mark.parametrize("folder", [".", "results"])
def test_a_folder_that_cannot_be_written_is_told_before_anything_runs(tmp_path, monkeypatch, folder):
    (tmp_path / "results").mkdir()
    monkeypatch.chdir(tmp_path)
    start.demand_writable()
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK or Path(path) != Path(folder))
    with pytest.raises(UserError, match=rf"{(tmp_path / folder).resolve()}: you may not write there"):
        start.demand_writable()
