"""How far a run is: counts, names and the time that is left."""

import pytest

from speedmap.run import duration
from speedmap.run.progress import Progress, about


@pytest.fixture
def progress():
    progress = Progress()
    progress.plan({"build_engine": 2, "measure_speed": 2}, now=0)
    return progress


def test_the_line_says_what_is_done_how_many_of_how_many_and_about_how_long(progress):
    progress.begin(1, "build_engine", {"backend": "openvino", "model": "a", "precision": "int8", "shape": "static"}, 0)
    assert progress.end(1, 3).rule == "build_engine"
    progress.begin(2, "build_engine", {"model": "b"}, 3)
    line = progress.line(5)
    assert line.startswith("[1/4] build engine b, 2 s; about ")
    assert line.endswith(" left")


def test_jobs_side_by_side_are_counted_and_the_first_is_named(progress):
    progress.begin(1, "build_engine", {"model": "a"}, 0)
    progress.begin(2, "build_engine", {"model": "b"}, 1)
    assert progress.line(2).startswith("[0/4] build engine a and 1 more, 2 s")


def test_a_job_that_failed_is_not_done_and_tells_nothing_of_how_long_jobs_take(progress):
    progress.begin(1, "build_engine", {}, 0)
    progress.end(1, 1000, well=False)
    assert (progress.done, progress.taken) == (0, {})


def test_the_time_left_is_soon_that_of_the_runs_own_jobs(progress):
    for job, start in ((1, 0), (2, 100)):
        progress.begin(job, "build_engine", {}, start)
        progress.end(job, start + 100)
    progress.begin(3, "measure_speed", {}, 200)
    progress.end(3, 250)
    assert progress.left(250) == pytest.approx(50)  # one more that takes as long as the one before
    progress.begin(4, "measure_speed", {}, 250)
    assert progress.left(290) == pytest.approx(10)
    assert progress.left(400) == 0  # what takes longer than thought is done any moment, never in the past
    assert progress.line(400) == "[3/4] measure speed, 150 s"  # and nobody knows when


def test_jobs_side_by_side_take_less_time_than_one_after_another():
    progress = Progress()
    progress.plan({"build_engine": 4}, now=0)
    for job in (1, 2):
        progress.begin(job, "build_engine", {}, 0)
    for job in (1, 2):
        progress.end(job, 10)
    assert progress.left(10) == pytest.approx(10)  # 2 of 10 s, two at a time


def test_jobs_that_have_the_machine_alone_are_not_taken_for_side_by_side():
    progress = Progress()
    progress.plan({"build_engine": 2, "measure_speed": 3}, now=0)
    for job in (1, 2):
        progress.begin(job, "build_engine", {}, 0)
    for job in (1, 2):
        progress.end(job, 10)  # two at once
    progress.begin(3, "measure_speed", {}, 10)
    progress.end(3, 20)
    assert progress.left(20) == pytest.approx(20)


def test_on_two_gpus_two_are_alone_at_once():
    progress = Progress()
    progress.plan({"measure_speed": 6}, now=0)
    for job in (1, 2):
        progress.begin(job, "measure_speed", {}, 0)
    for job in (1, 2):
        progress.end(job, 10)
    assert progress.left(10) == pytest.approx(20)


def test_a_slow_machine_is_known_by_the_jobs_of_other_rules():
    typical = duration.TYPICAL["measure_speed"]
    assert duration.left({"measure_speed": 3}, {}) == pytest.approx(3 * typical)
    slow = duration.left({"measure_speed": 3}, {"export_onnx": [10 * duration.TYPICAL["export_onnx"]]})
    assert 5 * typical < slow < 30 * typical


@pytest.mark.parametrize(
    ("wildcards", "name"),
    [
        ({"backend": "openvino", "model": "a", "precision": "int8", "shape": "static", "build": ""},
         "openvino/a-int8-static"),
        ({"backend": "openvino", "model": "a", "precision": "int8", "shape": "static", "build": ".2"},
         "openvino/a-int8-static.2"),
        ({"model": "a"}, "a"),
        ({"path": "val2017.zip"}, "val2017.zip"),
        ({}, ""),
    ],
)  # fmt: skip
def test_a_job_is_named_by_what_it_is_about(wildcards, name):
    assert about(wildcards) == name


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "1 s"), (59, "59 s"), (95, "2 min"), (3600, "1 h 0 min"), (5000, "1 h 23 min")]
)
def test_times_are_written_for_people_who_plan(seconds, said):
    assert duration.words(seconds) == said


def test_rules_without_a_typical_time_count_as_short():
    known = 2 * duration.TYPICAL["build_engine"]
    assert duration.work({"build_engine": 2, "no_such_rule": 1}) == known + duration.OTHER
    alone = 3 * duration.TYPICAL["measure_speed"]
    assert duration.planned({"build_engine": 2, "measure_speed": 3}) == alone + known / duration.CORES
