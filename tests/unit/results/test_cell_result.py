import pytest

from helpers.record_factory import OTHER_SHA, SHA, accuracy, experiment, speed, speedup, write
from speedmap.reporting import table
from speedmap.reporting.footnotes import Notes, words
from speedmap.results.cell import Cell
from speedmap.results.cell_result import gather
from speedmap.results.reported import Source
from speedmap.run import failed_run


def scored(folder, backend, precision, shape, score=0.4):
    cell = Cell(backend, "n", precision, shape)
    return write(folder / backend / cell.name / "accuracy.json", accuracy(cell, score))


@pytest.mark.parametrize(("shape", "expected"), [("dynamic", {"torch", "float"}), ("static", {"float"})])
def test_a_map_is_held_against_others_of_its_input_shape(tmp_path, shape, expected):
    cells = [("torch", "fp32", "dynamic"), ("tensorrt", "fp16", shape), ("tensorrt", "int8", shape)]
    rows = gather([scored(tmp_path, *cell) for cell in cells])
    assert rows[2].references.keys() == expected
    assert rows[1].references.keys() == expected - {"float"}  # not against itself
    assert rows[0].references == {}
    assert all(record.cell.shape == shape for record in rows[2].references.values())


@pytest.mark.parametrize(
    ("int8", "fp16", "kept"),
    [(SHA, OTHER_SHA, True), ("2" * 64, OTHER_SHA, False), (SHA, "2" * 64, False), (SHA, None, False)],
    ids=["of these", "of an older engine", "of an older twin", "of a cell that is left out"],
)
def test_a_speed_up_counts_for_the_engines_that_were_timed(tmp_path, int8, fp16, kept):
    cells = {precision: Cell("tensorrt", "n", precision, "static") for precision in ("int8", "fp16")}
    folder = tmp_path / cells["int8"].name
    write(folder / "speedup.json", speedup(cells["int8"]))
    paths = [write(folder / "speed.json", speed(cells["int8"], digest=int8))]
    if fp16:
        paths.append(write(tmp_path / cells["fp16"].name / "speed.json", speed(cells["fp16"], digest=fp16)))
    assert (gather(paths)[0].speedup is not None) is kept


def test_the_map_of_a_data_set_without_boxes_is_no_figure_but_a_reason(tmp_path):
    (row,) = gather([scored(tmp_path, "tensorrt", "fp16", "static", score=-1.0)])
    assert row.accuracy is None
    notes = Notes(row.failed)
    page = table.Page({row.cell: row}, experiment(models={"n": Source(weights="n.pt")}), "tensorrt", notes)
    assert page.shown(row.cell, table.map_figure) == "not measured<sup>1</sup>"
    assert "no boxes" in notes.lines()[0]
    assert "no boxes" in words(failed_run.explained(row, {}).failed[0])
