from dataclasses import replace

from speedmap import failures
from speedmap.cells import Cell
from speedmap.row import Row

CELL = Cell("openvino", "a-b", "int8", "static")


def log(folder, name, text):
    path = folder / f"{name}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_the_last_line_of_a_failed_job_is_its_reason(tmp_path):
    log(tmp_path, "calibrate/a-b", "Traceback ...\n\nerror: too few images\n")
    log(tmp_path, "calibrate/other", "error: not this model\n")
    log(tmp_path, "openvino/a-b-int8-static/measure_speed", "fine\n")
    assert failures.of(CELL, tmp_path) == {"calibrate": "too few images"}
    assert failures.of(replace(CELL, precision="fp16"), tmp_path) == {}


def test_a_failure_before_the_measurements_voids_older_records():
    row = failures.void(Row(CELL, {"old": 1}, {"old": 1}, {"old": 1}), {"calibrate": "too few images"})
    assert (row.speed, row.accuracy, row.engine, row.failed) == (None, None, None, ("too few images",))


def test_a_failed_measurement_voids_its_own_record_only():
    row = failures.void(Row(CELL, {"new": 1}, {"old": 1}, None), {"measure_accuracy": "out of memory"})
    assert (row.speed, row.accuracy) == ({"new": 1}, None)


def test_nothing_failed():
    row = Row(CELL, {"new": 1}, {"new": 1}, None)
    assert failures.void(row, {}) == row


def test_a_further_build_that_failed_voids_nothing(tmp_path):
    log(tmp_path, "openvino/a-b-int8-static/build_engine.2", "error: no memory\n")
    assert failures.of(CELL, tmp_path) == {}


def test_only_the_table_of_a_run_that_failed_is_forgotten(tmp_path):
    table = tmp_path / "table.md"
    failures.forget_partial(table)
    table.write_text("## Dynamic input")
    failures.forget_partial(table)
    assert table.exists()
    table.write_text(f"{failures.PARTIAL}\n\n## Dynamic input")
    failures.forget_partial(table)
    assert not table.exists()
