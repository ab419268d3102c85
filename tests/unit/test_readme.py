import re
import shlex
from pathlib import Path

import pandas
import pytest
from snakemake.cli import parse_args

from speedmap.publishing import folders
from speedmap.reporting import claims, remarks
from speedmap.results import records
from speedmap.results.cell_result import gather
from speedmap.results.findings import Int8Slower
from speedmap.results.reported import Provenance
from speedmap.results.speedup import Speedup

PUBLISHED = Path("results/published")
README = " ".join(Path("README.md").read_text("utf-8").split())
TEXT = "\n".join(path.read_text() for path in (Path("README.md"), *Path("docs").glob("*.md"))).replace("\\\n", " ")
COMMANDS = re.findall(r"`(snakemake [^`]*)`", TEXT) + re.findall(r"^    (snakemake .*)$", TEXT, re.MULTILINE)
COMMANDS = [command for command in COMMANDS if "profiles/slurm" not in command]  # whose plugin is not installed here


def test_there_are_commands():
    assert len(COMMANDS) > 8


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_asks_for_the_file_that_it_names_and_says_on_how_many_cores(command):
    words = shlex.split(command, comments=True)[1:]
    _, given = parse_args(words)
    named = {word for word in words if word in ("publish", "check_published") or word.startswith("results/")}
    assert named == set(given.targets) | set(given.forcerun or ())
    assert given.cores


@pytest.mark.parametrize("page", [Path("README.md"), *Path("docs").glob("*.md")], ids=str)
def test_links_lead_to_files_that_are_there(page):
    links = re.findall(r"\]\(([^)#:]+)\)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_line_to_quote_is_that_of_the_published_records():
    folder = PUBLISHED / "h100-tensorrt8.6"
    config = records.read(folder / "environment.json", Provenance).config
    (line,) = map(str, claims.claims(gather(folders.recorded(folder)), config))
    readme = Path("README.md").read_text("utf-8").splitlines()
    assert line == " ".join(part.removeprefix("> ") for part in readme if part.startswith("> "))


def test_why_n_is_slower_is_left_open_as_its_published_layers_do():
    rows = remarks.noted(gather(folders.recorded(PUBLISHED / "h100-tensorrt8.6")))
    slower = {row.cell.model: said for row in rows for said in row.remarks if isinstance(said, Int8Slower)}
    assert list(slower) == ["yolov5n-v7.0"]
    assert slower["yolov5n-v7.0"].more == {}
    assert "Its layers do not explain why n is slower: " in README


def test_what_dynamic_input_gains_and_costs_is_that_of_the_published_table():
    table = pandas.read_csv(PUBLISHED / "h200-tensorrt8.6/table.csv")
    int8 = table[(table.precision == "int8") & (table.input == "dynamic")]
    turns = [f"{ratio:.3f}" for ratio in int8["float / INT8"]]
    assert (
        "INT8 is {} times as fast as FP16 for n, {} for s, {} for m, {} for l and {} for x, ".format(*turns) in README
    )
    speeds = table.set_index("cell")["p50 ms"]
    alone = [f"{speeds[row.cell.replace('int8', 'fp16')] / row['p50 ms']:.3f}" for _, row in int8.iterrows()]
    assert "by each timed alone it is {}, {}, {}, {} and {} times as fast".format(*alone) in README
    n, s = (row for _, row in int8[:2].iterrows())
    costs = [f"{abs(row['less torch']):.2f} ± {row['± less torch']:.2f}" for row in (n, s)]
    assert "{} above FP32's for n, {} below for s ".format(*costs) in README
    assert s["less torch"] < 0 < n["less torch"]


def test_what_the_new_form_gains_is_that_of_its_published_pair():
    folder = PUBLISHED / "h200-tensorrt8.6"
    name = "tensorrt/yolov5n-v7.0-int8-dynamic/speedup.json"
    before, now = (records.read(path / name, Speedup) for path in (folder, folder / "cut-grid"))
    text = " ".join(README.split())
    assert f"INT8 is {now.ratio:.3f} times as fast as FP16 ({now.low:.3f} to {now.high:.3f} over four openings" in text
    assert f"{now.second_ms:.3f} ms for {before.second_ms:.3f} before" in text
    assert now.openings == 4


def test_what_batches_gain_is_that_of_the_published_records_with_its_doubt():
    folder = PUBLISHED / "h200-tensorrt8.6/batches"
    rows = gather(folders.recorded(folder))
    turns = {(row.cell.model[6], row.cell.batch): row.speedup for row in rows if row.speedup}
    of_x = [
        records.read(folder / f"x/tensorrt/yolov5x-int8-static-b{batch}/speedup.json", Speedup) for batch in (8, 32)
    ]
    of_s = [f"{turns['s', batch].ratio:.2f}" for batch in (8, 32)]
    assert "{} times as fast as FP16 for s at 8 images and {} at 32, ".format(*of_s) in README
    assert f"{of_x[0].ratio:.2f} for x at 8, and slower for n, then without blocks of pixels" in README
    assert f"For x at 32 it reads {of_x[1].ratio:.2f}, but the GPU throttled at its power limit" in README
    assert [pair.disturbed for pair in (turns["s", 8], turns["s", 32], *of_x)] == [False, False, False, True]
    assert max(turns["n", 8].high, turns["n", 32].high) < 1
