import json

import msgspec
import pytest

from helpers.record_factory import result
from speedmap.publishing import history
from speedmap.results.findings import WrongPrecision


def test_a_figure_is_a_line_with_its_95_percent_interval():
    speed, score = history.lines([result(median=2.0, low=1.9, high=2.2, score=0.4, error=0.01)])
    assert (speed.cell, speed.figure, speed.value, speed.low, speed.high) == (
        "tensorrt/yolov5s-fp16-static", "speed", 2.0, 1.9, 2.2,
    )  # fmt: skip
    assert (score.figure, score.value, score.valid) == ("mAP", 0.4, True)
    assert (score.low, score.high) == pytest.approx((0.38, 0.42))  # two standard errors


def test_an_unknown_error_has_no_interval():
    (_, score) = history.lines([result(error=None)])
    assert (score.low, score.high) == (None, None)


def test_figures_of_an_invalid_cell_say_so():
    lines = history.lines([result(invalid=[WrongPrecision("fp16", {"fp32": 1.0})])])
    assert [line.valid for line in lines] == [False, False]


def test_a_history_grows_by_what_it_does_not_have_and_keeps_the_rest(tmp_path):
    path = tmp_path / "history.jsonl"
    other = json.dumps({"measured": "2020", "of": "another version"})
    path.write_text(other + "\n")
    for rows in ([result()], [result(), result(precision="int8")]):
        history.append(path, rows)
    assert [line.cell for line in history.read(path)] == [
        *["tensorrt/yolov5s-fp16-static"] * 2, *["tensorrt/yolov5s-int8-static"] * 2,
    ]  # fmt: skip
    assert path.read_text().startswith(other)


def test_a_line_of_a_history_that_is_cut_off_is_no_figure_passed_over(tmp_path):
    path = tmp_path / "history.jsonl"
    history.append(path, [result()])
    path.write_text(path.read_text()[:-9])
    with pytest.raises(msgspec.DecodeError):
        history.read(path)
