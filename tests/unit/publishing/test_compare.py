from dataclasses import replace
from operator import attrgetter

import pytest

from helpers.record_factory import OTHER_SHA, result
from speedmap.accuracy import paired_difference
from speedmap.publishing import compare, compare_page
from speedmap.publishing.compare import IMPROVED, MISSING, NEW, NOISE, REGRESSED, UNJUDGED, CompareError
from speedmap.results import records
from speedmap.results.findings import WrongPrecision
from speedmap.results.reported import Change, Comparison, Limits
from speedmap.results.timing_findings import (
    HalvesDiffer,
    NotWatched,
    OtherGpusBusy,
    OthersUsedCpu,
    ShapeGap,
    Throttled,
    WatcherDied,
)

LIMITS = Limits(speed=0.02, speed_always=0.15, map=0.002, map_always=0.02)
DRAWS = [0.001, -0.001, 0.0005, -0.0005]
IN_FLOAT = WrongPrecision("fp16", {"fp32": 1.0})


def row(precision="fp16", median=10.0, half=0.05, score=0.4, draws=DRAWS):
    """A cell whose median is known to ± half ms."""
    return result(precision=precision, median=median, low=median - half, high=median + half, score=score, draws=draws)


def page(changes):
    return compare_page.render(Comparison(baseline="b", limits=LIMITS, versions=[], changes=changes))


def verdicts(before, after):
    return {
        (change.cell.split("-")[1], change.figure): change.verdict for change in compare.compare(before, after, LIMITS)
    }


def speed_verdict(before, after):
    return verdicts([before], [after])["fp16", "speed"]


def test_equal_runs_are_within_noise():
    assert set(verdicts([row(), row("int8")], [row(), row("int8")]).values()) == {NOISE}


@pytest.mark.parametrize(("half", "expected"), [(0.05, REGRESSED), (0.5, NOISE)])
def test_three_percent_slower_depends_on_the_interval(half, expected):
    assert speed_verdict(row(half=half), row(median=10.3, half=half)) == expected


def builds(*medians, warnings=()):
    return tuple(result(median=median, warnings=warnings).speed for median in medians)


def test_three_percent_slower_is_noise_where_builds_differ_by_more():
    again = builds(10.2, 10.6, 9.9)
    assert speed_verdict(replace(row(), builds=again), row(median=10.3)) == NOISE
    assert speed_verdict(replace(row(), builds=again), row(median=12.0)) == REGRESSED


@pytest.mark.parametrize(
    ("warning", "expected"),
    [
        (HalvesDiffer(0.09), REGRESSED),
        (Throttled("sw power cap"), REGRESSED),
        (OthersUsedCpu(0.3), REGRESSED),
        (NotWatched("processes"), NOISE),
        (WatcherDied("OSError('lost')"), NOISE),
        (ShapeGap(0.09), NOISE),
    ],
)
def test_a_disturbed_build_does_not_hide_a_regression(warning, expected):
    again = builds(10.02) + builds(11.0, warnings=[warning])
    assert speed_verdict(replace(row(), builds=again), row(median=10.3)) == expected
    disturbed = row(median=11.0)
    disturbed.speed.watch.warnings = [warning]
    assert (replace(disturbed, builds=builds(10.0, 10.02)).build_error < 0.01) == (expected == REGRESSED)


def test_builds_that_are_all_disturbed_still_tell_how_much_builds_differ():
    noisy = {"warnings": [OthersUsedCpu(0.12)]}
    again = tuple(record for median in (10.2, 10.6, 9.9) for record in builds(median, **noisy))
    assert speed_verdict(replace(row(), builds=again), row(median=10.3)) == NOISE


@pytest.mark.parametrize("half", [0.01, 0.5, 5.0])
def test_twenty_percent_slower_always_fails(half):
    assert speed_verdict(row(half=half), row(median=12.0, half=half)) == REGRESSED


def test_a_change_below_the_limit_is_noise_however_sure():
    assert speed_verdict(row(half=0.001), row(median=10.1, half=0.001)) == NOISE


def test_faster_is_an_improvement():
    assert speed_verdict(row(), row(median=9.0)) == IMPROVED


@pytest.mark.parametrize(("now", "expected"), [(0.39, REGRESSED), (0.41, IMPROVED), (0.399, NOISE)])
def test_map_counts_beyond_its_limit(now, expected):
    assert verdicts([row()], [row(score=now)])["fp16", "mAP"] == expected


def test_a_map_whose_difference_is_unsure_is_noise_until_it_is_gross():
    shaky = [0.01, -0.01, 0.01, -0.01]
    assert verdicts([row()], [row(score=0.39, draws=shaky)])["fp16", "mAP"] == NOISE
    assert verdicts([row()], [row(score=0.37, draws=shaky)])["fp16", "mAP"] == REGRESSED


@pytest.mark.parametrize("draws", [[], [0.0]])
def test_a_map_of_unknown_error_is_no_certain_change(draws):
    before, after = row(draws=draws), row(score=0.39, draws=draws)
    changes = compare.compare([before], [after], LIMITS)
    assert [(change.verdict, change.error) for change in changes if change.figure == "mAP"] == [(NOISE, None)]
    assert verdicts([before], [row(score=0.37, draws=draws)])["fp16", "mAP"] == REGRESSED
    assert paired_difference.between(after.accuracy, before.accuracy) is None
    assert "| -1.00 ± unknown |" in page(changes)


def test_a_dropped_cell_fails_and_a_new_one_does_not():
    found = verdicts([row(), row("int8")], [row()])
    assert (found["int8", "speed"], found["int8", "mAP"]) == (MISSING, MISSING)
    assert verdicts([row()], [row(), row("int8")])["int8", "speed"] == NEW
    assert compare.failed([Change("a", "mAP", MISSING)])
    assert not compare.failed([Change("a", "mAP", verdict) for verdict in (NEW, IMPROVED, NOISE)])


def test_a_cell_that_became_invalid_is_missing():
    broken = row()
    broken.speed.audit.invalid = [IN_FLOAT]
    assert speed_verdict(row(), broken) == MISSING


def test_a_baseline_without_any_of_these_cells_is_refused():
    with pytest.raises(
        CompareError, match=r"no cell of the baseline, such as tensorrt/yolov5s-int8-.*, is measured here"
    ):
        compare.compare([row("int8")], [row()], LIMITS)


@pytest.mark.parametrize(
    ("where", "value", "named"),
    [
        ("environment.platform.gpu", "GTX", "another device (NVIDIA RTX 2060 then, GTX now)"),
        ("environment.platform.driver", "2", "another driver"),
        ("environment.cpu", "XPU", "another processor"),
        ("protocol.conf", 0.5, "another protocol"),
        ("imgsz", 320, "another input size"),
        ("dataset.sha256", OTHER_SHA, "another data set"),
    ],
)
def test_unlike_runs_are_refused_by_name(where, value, named):
    other = row()
    path, _, name = where.rpartition(".")
    place = attrgetter(path)(other.speed) if path else other.speed
    place.update({name: value}) if isinstance(place, dict) else setattr(place, name, value)
    with pytest.raises(CompareError) as caught:
        compare.compare([row()], [other], LIMITS)
    assert named in str(caught.value)


def test_another_version_is_said_but_not_refused():
    other = row()
    other.speed.environment.versions["numpy"] = "3"
    assert compare.changed([row()], [other]) == ["numpy 2 → 3"]
    assert speed_verdict(row(), other) == NOISE


def test_bad_news_comes_first_on_the_page():
    changes = compare.compare([row(), row("int8")], [row(median=12.0)], LIMITS)
    text = page(changes)
    assert text.startswith("# Worse than b\n\n1 regressed, 2 missing, 1 within noise.")
    (line,) = [line for line in text.splitlines() if "**regressed**" in line]
    cells = ["tensorrt/yolov5s-fp16-static", "speed", "**regressed**", "10.000 ms (9.950 to 10.050)",
             "12.000 ms (11.950 to 12.050)", "+20.00% ± 0.39%"]  # fmt: skip
    assert [cell.strip() for cell in line.strip("|").split("|")] == cells


def disturbed(warning, **facts):
    noisy = row(**facts)
    noisy.speed.watch.warnings = [warning]
    return noisy


@pytest.mark.parametrize("warning", [OthersUsedCpu(0.32), HalvesDiffer(0.08), Throttled("sw power cap")])
@pytest.mark.parametrize("median", [10.0, 18.0, 5.0])
def test_a_disturbed_run_is_not_judged_on_either_side_and_fails_nothing(warning, median):
    for before, after in ((row(), disturbed(warning, median=median)), (disturbed(warning, median=median), row())):
        changes = compare.compare([before], [after], LIMITS)
        assert [change.verdict for change in changes if change.figure == "speed"] == [UNJUDGED]
        assert not compare.failed(changes)


@pytest.mark.parametrize("warning", [OtherGpusBusy(0.9), NotWatched("processes")])
def test_what_disturbs_no_run_is_judged_all_the_same(warning):
    assert speed_verdict(row(), disturbed(warning, median=12.0)) == REGRESSED


def test_a_disturbed_run_hides_neither_a_lost_map_nor_a_lost_cell():
    found = verdicts([row(), row("int8")], [disturbed(OthersUsedCpu(0.3), score=0.3)])
    assert (found["fp16", "mAP"], found["int8", "speed"]) == (REGRESSED, MISSING)


def test_the_page_says_what_was_not_judged_and_why():
    changes = compare.compare([row()], [disturbed(OthersUsedCpu(0.84), median=18.0)], LIMITS)
    text = page(changes)
    assert text.startswith("# No worse, as far as can be judged, than b\n\n1 not judged, 1 within noise.")
    assert "18.000 ms (17.950 to 18.050)<sup>1</sup>" in text
    assert "1. other processes used 84% of the CPU" in text


def test_a_comparison_is_read_back_with_its_marks(tmp_path):
    changes = compare.compare([disturbed(HalvesDiffer(0.1))], [disturbed(OthersUsedCpu(0.84))], LIMITS)
    record = Comparison(baseline="b", limits=LIMITS, versions=[], changes=changes)
    records.write(tmp_path / "compare.json", record)
    assert records.read(tmp_path / "compare.json", Comparison) == record


def test_differences_need_the_same_images():
    ours, theirs = row().accuracy, row(score=0.39).accuracy
    assert str(paired_difference.between(ours, theirs)) == "+1.00 ± 0.00"
    theirs.dataset.sha256 = OTHER_SHA
    assert paired_difference.between(ours, theirs) is None
    assert paired_difference.between(ours, None) is None


def test_a_difference_within_two_errors_is_marked():
    assert str(paired_difference.Difference(0.001, 0.001)) == "≈ +0.10 ± 0.10"
    assert str(paired_difference.Difference(-0.003, 0.001)) == "-0.30 ± 0.10"


def batch_of_eight(median):
    made = result(precision="int8", batch=8, median=median, low=0.99 * median, high=1.01 * median)
    return replace(made, accuracy=None)


@pytest.mark.parametrize(("slower", "expected"), [(1.2, REGRESSED), (1.001, NOISE), (0.8, IMPROVED)])
def test_a_cell_of_a_batch_is_compared_with_the_same_batch(slower, expected):
    before, after = [row("int8"), batch_of_eight(20.0)], [row("int8"), batch_of_eight(20.0 * slower)]
    changes = {(change.cell, change.figure): change.verdict for change in compare.compare(before, after, LIMITS)}
    assert changes["tensorrt/yolov5s-int8-static-b8", "speed"] == expected
    assert changes["tensorrt/yolov5s-int8-static", "speed"] == NOISE
