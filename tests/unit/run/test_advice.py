import shlex

import pytest

from helpers.record_factory import speed, write
from speedmap.results.cell import Cell
from speedmap.results.findings import HalvesDiffer, NotWatched, OthersUsedCpu
from speedmap.run import advice

CELLS = [Cell(backend, model, "fp16", "static") for backend in ("openvino", "torch") for model in "ab"]
TABLE = "results/table.md"


@pytest.fixture
def paths(tmp_path, monkeypatch):
    """Write the records of four cells, those of openvino disturbed."""
    monkeypatch.chdir(tmp_path)
    for number, cell in enumerate(CELLS):
        record = speed(cell, warnings=[OthersUsedCpu(0.5 + 0.1 * number)] if cell.backend == "openvino" else [])
        record.watch.busiest = {"stress (7)": 0.3 + 0.1 * number, "firefox (9)": 0.1}
        write(f"{cell.folder}/speed.json", record)
    return [f"{cell.folder}/speed.json" for cell in CELLS]


def test_it_says_what_disturbed_what_to_end_and_how_to_repeat(paths):
    seen, end, command = advice.advise(paths, [".venv/bin/snakemake", "--cores", "2", TABLE])
    assert seen == "2 of 4 speeds are disturbed or unstable: other processes used 50% to 60% of the CPU"
    assert end == "end or wait for: stress (7) with up to 40%, firefox (9) with up to 10%"
    assert command == (
        "repeat these alone: .venv/bin/snakemake --cores 2 -f "
        "results/openvino/{a-fp16-static,b-fp16-static}/speed.json results/table.md"
    )


def test_a_run_that_nothing_disturbed_needs_no_advice(paths):
    assert advice.advise(paths[2:], ["snakemake"]) == []
    write(paths[0], speed(CELLS[0], warnings=[NotWatched("processes")]))
    assert advice.advise([paths[0], "results/none/speed.json"], ["snakemake"]) == []


def test_an_unstable_run_has_nobody_to_blame(paths):
    write(paths[0], speed(CELLS[0], warnings=[HalvesDiffer(0.1)]))
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
