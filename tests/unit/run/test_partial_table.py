"""The table of a run that failed."""

from pathlib import Path

import pytest
from msgspec import to_builtins

from helpers.record_factory import OTHER_SHA, accuracy, dataset, experiment, speed, write
from speedmap.results.cell import Cell
from speedmap.run import failed_run

CONFIG = to_builtins(experiment(shapes=["static"]))
CELLS = [Cell("tensorrt", "yolov5s", precision, "static") for precision in ("fp16", "int8")]
PARTIAL = Path("results/table.partial.md")
DATASET, TABLE, CSV = (f"results/{name}" for name in ("dataset.json", "table.md", "table.csv"))


@pytest.fixture
def paths(results):
    """Records of both cells, and a table of a time before."""
    listed = results()[0]
    for old in (TABLE, CSV):
        Path(old).write_text("old")
    write(DATASET, dataset())
    return listed


def tabulate(paths, missing):
    """Make the table; returns its text, empty if there is none."""
    failed_run.write(CELLS, missing, CONFIG, "tensorrt", PARTIAL)
    assert [Path(old).read_text() for old in (TABLE, CSV)] == ["old", "old"]
    return PARTIAL.read_text() if PARTIAL.exists() else ""


def line(text):
    return [cell.strip() for cell in next(row for row in text.splitlines() if "| yolov5s " in row).split("|")[2:-1]]


def test_a_record_that_was_to_be_made_anew_is_no_figure(paths):
    Path("failed.log").write_text("error: too few images\n")
    text = tabulate(paths, {path: ["failed.log"] for path in paths if "int8" in path})
    assert text.startswith(failed_run.PARTIAL)
    assert line(text) == ["2.00 ms", "40.0", *["not measured<sup>1</sup>"] * 2]
    assert "1. too few images" in text


def test_nothing_measured_leaves_no_table_of_earlier_records(paths):
    assert tabulate(paths, {path: [] for path in paths}) == ""


def test_figures_on_an_earlier_data_set_are_not_shown(paths):
    assert tabulate(paths, {DATASET: []}) == ""


def test_a_record_that_is_none_is_no_figure(paths):
    Path(paths[0]).write_text("{")
    other = accuracy(CELLS[0])
    other.dataset.sha256 = OTHER_SHA
    write(paths[1], other)
    assert line(tabulate(paths, {})) == ["not measured", "not measured", "2.00 ms", "40.0"]


def test_further_builds_show_their_spread(paths):
    again = paths[0].replace("speed", "speed.2")
    write(again, speed(CELLS[0], median=1.5))
    assert " 1.500 to 2.000 " in tabulate([*paths, again], {})


def test_a_batch_that_memory_cannot_hold_is_empty_with_the_reason_beside_the_others(paths):
    cells = [*CELLS, *(Cell("tensorrt", "yolov5s", precision, "static", 8) for precision in ("fp16", "int8"))]
    small, large = cells[2:]
    Path(small.folder).mkdir()
    write(f"{small.folder}/speed.json", speed(small, median=4.0))
    Path("large.log").write_text("error: the GPU's memory is too small for the build; take a smaller batch\n")
    missing = {f"{large.folder}/speed.json": ["large.log"], "results/table.md": []}
    failed_run.write(cells, missing, {**CONFIG, "batches": [1, 8]}, "tensorrt", PARTIAL)
    text = PARTIAL.read_text()
    assert line(text.partition("## Throughput")[2])[:3] == ["1", "500", "500"]
    row = next(each for each in text.splitlines() if "| 8 " in each)
    assert [cell.strip() for cell in row.split("|")[3:-1]] == ["2000", "not measured<sup>1</sup>", ""]
    assert "1. the GPU's memory is too small for the build; take a smaller batch" in text
