import os
import shlex
from pathlib import Path

import pytest
from msgspec import structs

from helpers.record_factory import provenance, speed, speedup, watch, write
from speedmap.errors import UserError
from speedmap.results.cell import Cell
from speedmap.results.reported import Origin
from speedmap.results.timing_findings import HalvesDiffer, NotWatched, OthersUsedCpu, WideInterval
from speedmap.run import advice

CELLS = [Cell(backend, model, "fp16", "static") for backend in ("openvino", "torch") for model in "ab"]
TABLE = "results/table.md"


@pytest.fixture(autouse=True)
def typed(monkeypatch):
    """Let the command be one that was typed, not make's."""
    monkeypatch.delenv("MAKELEVEL", raising=False)


@pytest.fixture
def paths(tmp_path, monkeypatch):
    """Write the records of four cells, those of openvino disturbed."""
    monkeypatch.chdir(tmp_path)
    for number, cell in enumerate(CELLS):
        record = speed(cell, warnings=[OthersUsedCpu(0.5 + 0.1 * number)] if cell.backend == "openvino" else [])
        ours, others = {f"snakemake ({os.getpid()})": 0.9}, {"stress (7)": 0.3 + 0.1 * number, "firefox (9)": 0.1}
        record.watch.busiest = ours | others
        write(f"{cell.folder}/speed.json", record)
    return [f"{cell.folder}/speed.json" for cell in CELLS]


def test_it_says_what_disturbed_what_to_end_and_how_to_repeat(paths):
    seen, end, command = advice.advise(paths, [".venv/bin/snakemake", "--cores", "2", TABLE])
    assert seen == "2 of 4 speeds cannot be quoted: other processes used 50% to 60% of the CPU"
    assert end == "end or wait for, if they still run: stress (7) with up to 40%, firefox (9) with up to 10%"
    assert command == (
        "repeat these alone: .venv/bin/snakemake --cores 2 -f "
        "results/openvino/{a-fp16-static,b-fp16-static}/speed.json results/table.md"
    )


def test_a_run_that_nothing_disturbed_needs_no_advice(paths):
    assert advice.advise(paths[2:], ["snakemake"]) == []
    write(paths[0], speed(CELLS[0], warnings=[NotWatched("processes")]))
    assert advice.advise([paths[0], "results/none/speed.json"], ["snakemake"]) == []


def test_disturbed_turns_and_imprecise_speeds_are_repeated_too(paths):
    pair = Cell("openvino", "a", "int8", "static")
    write(f"{pair.folder}/speedup.json", structs.replace(speedup(pair), watch=watch(OthersUsedCpu(0.9))))
    write(paths[2], speed(CELLS[2], warnings=[WideInterval(0.07)]))
    seen, command = advice.advise([*paths[2:], f"{pair.folder}/speedup.json"], ["snakemake"])
    said = "imprecise: the median is known to 7.0% only; other processes used 90% of the CPU"
    assert seen == f"1 of 2 speeds and 1 of 1 speed-ups cannot be quoted: {said}"
    both = "results/torch/a-fp16-static/speed.json results/openvino/a-int8-static/speedup.json"
    assert command.endswith(f"snakemake -f {both} results/table.md")


def test_make_repeats_the_same_records_by_itself(paths, monkeypatch):
    origin = Origin(measured="2026-01-02", protocol={}, code="0", engine_sha256="0")
    figures = {f"{cell.backend}/{cell.name}/speed": origin for cell in CELLS}
    write("results/environment.json", structs.replace(provenance(), figures=figures))
    assert advice.spoilt(Path("results/environment.json")) == paths[:2]
    monkeypatch.setenv("MAKELEVEL", "1")
    called = ["snakemake", "--cores", "all", "--logger", "speedmap"]
    assert advice.repeat(paths[:2], called) == "make again"
    with_config = [*called, "--configfile", "my own.yaml", "b.yaml", "--", TABLE]
    assert advice.repeat(paths[:2], with_config) == "make again CONFIG='my own.yaml b.yaml'"
    for path, cell in zip(paths[:2], CELLS[:2], strict=True):
        write(path, speed(cell))
    assert advice.spoilt(Path("results/environment.json")) == [TABLE]  # then nothing is forced but that


def test_without_a_table_there_is_nothing_to_repeat(tmp_path):
    with pytest.raises(UserError, match="is not there; make table first"):
        advice.spoilt(tmp_path / "environment.json")


def test_an_unstable_run_has_nobody_to_blame(paths):
    record = speed(CELLS[0], warnings=[HalvesDiffer(0.1)])
    record.watch.busiest = {"sshd (7)": 0.03}
    write(paths[0], record)
    said = advice.advise(paths[:1], ["snakemake", "--cores", "1"])
    assert len(said) == 2
    assert said[1].endswith("snakemake --cores 1 -f results/openvino/a-fp16-static/speed.json results/table.md")


@pytest.mark.parametrize(
    ("called", "expected"),
    [
        (["/usr/bin/snakemake", "--cores", "all", "-R", "a/engine", "--", TABLE], "/usr/bin/snakemake --cores all"),
        (["snakemake", "-c1", TABLE, "--configfile", "my own.yaml"], "snakemake -c1 --configfile 'my own.yaml'"),
        (["snakemake", "--cores", "1", "-f", "x/speed.json", "--config", "imgsz=320"],
         "snakemake --cores 1 --config imgsz=320"),
        (["snakemake", "--cores", "all", "--logger", "speedmap", "--", TABLE], "snakemake --cores all"),
        (["/x/snakemake/__main__.py", "--profile", "profiles/slurm"], "snakemake --profile profiles/slurm"),
    ],
)  # fmt: skip
def test_the_command_keeps_the_options_and_drops_the_targets(called, expected):
    command = advice.repeat(["results/torch/m-fp16-dynamic/speed.json"], called)
    assert command == f"{expected} -f results/torch/m-fp16-dynamic/speed.json {TABLE}"
    assert shlex.split(command)
