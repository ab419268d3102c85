import json
from xml.etree import ElementTree

import pytest
from jsonschema import Draft7Validator

from helpers.record_factory import result, summary
from speedmap.publishing import ci_formats
from speedmap.publishing.compare import IMPROVED, MISSING, NEW, NOISE, REGRESSED, UNJUDGED
from speedmap.results.findings import WrongPrecision
from speedmap.results.reported import Change, Comparison, Limits
from speedmap.results.timing_findings import ForeignProcess, HalvesDiffer, NotWatched

LIMITS = Limits(speed=0.02, speed_always=0.15, map=0.002, map_always=0.02)
NUMBER = {"type": "number"}
METRIC = {
    "type": "object",
    "required": ["value"],
    "properties": dict.fromkeys(("value", "lower_value", "upper_value"), NUMBER),
}
BENCHER = {"type": "object", "patternProperties": {".+": {"type": "object", "patternProperties": {".+": METRIC}}}}


def change(verdict, cell="openvino/a-fp16-static", figure="speed", before=10.0, after=12.0, **facts):
    return Change(cell, figure, verdict, before, after, **facts)


def cases(*changes):
    """Write a comparison as JUnit XML and read it back: the suite, and of each case its name and what is in it."""
    suite = ElementTree.fromstring(
        ci_formats.junit(Comparison(baseline="b", limits=LIMITS, versions=[], changes=[*changes]))
    )
    listed = [(case.get("classname"), case.get("name"), [(part.tag, part.get("message")) for part in case])
              for case in suite.iter("testcase")]  # fmt: skip
    return suite, listed


def test_a_cell_is_one_case_that_fails_by_any_of_its_figures_with_the_reason_in_one_line():
    slower = change(REGRESSED, change=0.2, error=0.0039, before_interval=(9.95, 10.05), after_interval=(11.95, 12.05))
    suite, listed = cases(
        slower, change(NOISE, figure="mAP", before=0.4, after=0.4), change(NOISE, "torch/a-fp16-dynamic")
    )
    said = "speed regressed: 10.000 ms (9.950 to 10.050) then, 12.000 ms (11.950 to 12.050) now, +20.00% ± 0.39%"
    assert listed == [("openvino", "a-fp16-static", [("failure", said)]), ("torch", "a-fp16-dynamic", [])]
    assert {key: suite.get(key) for key in ("tests", "failures", "errors", "skipped")} == {
        "tests": "2", "failures": "1", "errors": "0", "skipped": "0",
    }  # fmt: skip


@pytest.mark.parametrize("verdict", [NOISE, IMPROVED, NEW])
def test_what_is_no_worse_passes(verdict):
    assert cases(change(verdict))[1] == [("openvino", "a-fp16-static", [])]


def test_a_disturbed_cell_is_skipped_and_says_what_disturbed_it_on_which_side():
    doubts = {
        "before_warnings": [HalvesDiffer(0.09), NotWatched("processes")],
        "after_warnings": [ForeignProcess(7, "x")],
    }
    suite, ((_, _, parts),) = cases(change(UNJUDGED, **doubts), change(NOISE, figure="mAP"))
    assert parts == [
        ("skipped", "speed not judged: unstable: the halves of the run differ by 9.0% in the median (then), "
         "foreign process on the GPU: 7 (x) (now)"),
    ]  # fmt: skip
    assert (suite.get("failures"), suite.get("skipped")) == ("0", "1")


def test_a_lost_map_fails_a_cell_whose_speed_is_not_judged():
    _, ((_, _, parts),) = cases(change(UNJUDGED), change(MISSING, figure="mAP", before=0.4, after=None))
    assert parts == [("failure", "mAP missing: 40.00 then")]


def test_names_that_strangers_chose_stay_one_line_of_sound_xml():
    name = 'evil\x00\x1b[31m\n"<&>\ufffe\ud800'
    doubts = {"after_warnings": [ForeignProcess(1, name)]}
    _, ((backend, cell, ((_, said),)),) = cases(change(UNJUDGED, f"x/{name}", **doubts))
    assert (backend, cell) == ("x", 'evil??[31m?"<&>??')
    assert 'evil??[31m?"<&>??' in said


def test_no_cell_is_a_suite_without_cases():
    suite, listed = cases()
    assert (suite.get("tests"), listed) == ("0", [])


@pytest.mark.parametrize(
    ("verdicts", "said", "colour"),
    [
        ([NOISE, IMPROVED, NEW], "no worse", ci_formats.GREEN),
        ([NOISE, UNJUDGED, UNJUDGED], "no worse, 2 not judged", ci_formats.GREY),
        ([MISSING, REGRESSED, UNJUDGED, REGRESSED], "2 regressed, 1 missing", ci_formats.RED),
    ],
)
def test_the_badge_says_the_verdict_and_is_green_only_where_all_was_judged(verdicts, said, colour):
    drawn = ElementTree.fromstring(ci_formats.badge([change(verdict) for verdict in verdicts]))
    assert drawn.get("aria-label") == f"speedmap: {said}"
    assert [text.text for text in drawn.iter("{http://www.w3.org/2000/svg}text")] == ["speedmap", said]
    assert next(iter(drawn)).get("fill") == colour


def figures(*rows):
    """Write cells in Bencher Metric Format and read them back by its published schema."""
    read = json.loads(json.dumps(ci_formats.bencher(list(rows)), allow_nan=False))
    Draft7Validator(BENCHER).validate(read)
    return read


def test_figures_are_a_benchmark_a_cell_with_latency_in_nanoseconds_and_map_in_points():
    read = figures(result(median=2.0, low=1.9, high=2.2, score=0.4, error=0.01))
    assert read.keys() == {"tensorrt/yolov5s-fp16-static"}
    (measures,) = read.values()
    assert measures["latency"] == pytest.approx({"value": 2e6, "lower_value": 1.9e6, "upper_value": 2.2e6})
    assert measures["map"] == pytest.approx({"value": 40, "lower_value": 38, "upper_value": 42})
    assert measures.keys() == {"latency", "map"}


def test_a_batch_has_a_throughput_and_torch_that_of_its_graph():
    (measures,) = figures(result(batch=8, median=4.0, low=3.2, high=5.0)).values()
    assert measures["throughput"] == pytest.approx({"value": 2000, "lower_value": 1600, "upper_value": 2500})
    torch = result(backend="torch", batch=8, median=4.0)
    torch.speed.alternatives["cuda_graph"] = summary(2.0)
    (measures,) = figures(torch).values()
    assert (measures["latency"]["value"], measures["throughput"]["value"]) == (4e6, 4000)


def test_an_unknown_error_leaves_the_bounds_out():
    (measures,) = figures(result(error=None)).values()
    assert measures["map"] == {"value": 40.0}


def test_what_nothing_follows_from_is_left_out():
    invalid = result(precision="int8", invalid=[WrongPrecision("int8", {"fp32": 1.0})])
    unstable = result(warnings=[HalvesDiffer(0.09)])
    assert {name: set(measures) for name, measures in figures(invalid, unstable).items()} == {unstable.title: {"map"}}
