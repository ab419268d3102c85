import re

import pandas as pd
import pytest

from helpers.record_factory import dataset, experiment, result
from speedmap.reporting import csv_table, detail_table, table
from speedmap.reporting.footnotes import FAMILIES, MOST, WORDS, Notes, together, words
from speedmap.results import findings, timing_findings
from speedmap.results.findings import (
    BoxesOutside,
    Int8Slower,
    JobFailed,
    MixedPrecision,
    NoDetections,
    OfBuild,
    OfTurns,
    WrongPrecision,
)
from speedmap.results.reported import Source
from speedmap.results.timing_findings import (
    ClockChanged,
    ForeignProcess,
    HalvesDiffer,
    NotWatched,
    OtherGpusBusy,
    OthersUsedCpu,
    ShapeGap,
    Throttled,
    TwoLevels,
    WatcherDied,
    WideInterval,
)

MANY = [Throttled("sw power cap"), OthersUsedCpu(0.3), HalvesDiffer(0.1), TwoLevels(0.1, 0.3), WideInterval(0.1),
        ShapeGap(0.05), WatcherDied("lost"), NotWatched("processes"), OtherGpusBusy(0.5),
        MixedPrecision({"int8": 0.8, "fp16": 0.2}), WrongPrecision("fp16", {"fp32": 1.0}), JobFailed("no memory"),
        BoxesOutside(1, 2), NoDetections()]  # fmt: skip


def kinds(base=findings.Finding):
    """Every class of findings that no other is derived from, and that has a figure or stands for itself."""
    named = vars(findings) | vars(timing_findings)
    return {kind for kind in named.values() if isinstance(kind, type) and issubclass(kind, base)}


def test_every_kind_has_words_or_is_a_group_of_kinds():
    assert kinds() - set(WORDS) == {
        findings.Finding, timing_findings.Disturbance, timing_findings.Unstable, timing_findings.Imprecise,
        timing_findings.Unwatched,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ([OthersUsedCpu(0.84), OthersUsedCpu(0.07)], "other processes used 7% to 84% of the CPU"),
        ([OthersUsedCpu(0.301), OthersUsedCpu(0.299)], "other processes used 30% of the CPU"),
        ([ForeignProcess(7, "x"), ForeignProcess(8)],
         "foreign process on the GPU: 7 (x); foreign process on the GPU: 8"),
        ([MixedPrecision({"int8": 0.8, "fp16": 0.2}), MixedPrecision({"int8": 0.7, "fp16": 0.3})],
         "runs 70% to 80% int8, 20% to 30% fp16 of its multiply-adds"),
        ([MixedPrecision({"int8": 0.8, "fp16": 0.2}), MixedPrecision({"int8": 0.7, "fp32": 0.3})],
         "runs 80% int8, 20% fp16 of its multiply-adds; runs 70% int8, 30% fp32 of its multiply-adds"),
        ([ClockChanged("sm", 1600, 1980, 0.05), ClockChanged("sm", 1200, 1900, 0.05)],
         "sm clock changed by more than 5%: 1200 to 1980 MHz"),
        ([Int8Slower("fp16", 0.90, 0.89, 0.91, True, None, {"Reorder": 0.5, "Conv": 0.2}),
          Int8Slower("fp16", 0.95, 0.94, 0.96, True, None, {"Reorder": 0.7, "Conv": 0.2}),
          Int8Slower("fp16", 0.97, 0.96, 0.98, True, None, {"Conv": 0.2})],
         "INT8 is slower than FP16: 0.900 to 0.950 times as fast (0.890 to 0.960, taking turns) because of Reorder "
         "(+0.50 to +0.70 ms), Conv (+0.20 ms), as its layers show, profiled one by one; INT8 is slower than FP16: "
         "0.970 times as fast (0.960 to 0.980, taking turns) because of Conv (+0.20 ms), as its layers show, profiled "
         "one by one"),
        ([OfBuild(2, OthersUsedCpu(0.3), False), OfBuild(2, OthersUsedCpu(0.5), False),
          OfBuild(3, Throttled("x"), True)],
         "build 2: other processes used 30% to 50% of the CPU; build 3 is invalid: throttled: x"),
        ([OfTurns(OthersUsedCpu(0.3)), OfTurns(OthersUsedCpu(0.5))],
         "INT8 and its float engine, taking turns: other processes used 30% to 50% of the CPU"),
        ([JobFailed(text) for text in "abcade"], "a; b; c; and 2 more"),
    ],
)  # fmt: skip
def test_findings_of_one_kind_are_one_text(said, expected):
    assert together(said) == expected


def test_a_kind_has_one_number_and_each_cell_the_marks_of_its_own():
    notes = Notes([HalvesDiffer(0.05), OthersUsedCpu(0.5), OthersUsedCpu(0.2), HalvesDiffer(0.1)])
    assert notes.lines() == [
        "1. other processes used 20% to 50% of the CPU\n"
        "2. unstable: the halves of the run differ by 5.0% to 10.0% in the median"
    ]
    assert [notes.mark([HalvesDiffer(0.1)]), notes.mark([OthersUsedCpu(0.3), HalvesDiffer(0.1)]), notes.mark([])] == [
        "<sup>2</sup>", "<sup>1,2</sup>", "",
    ]  # fmt: skip


@pytest.mark.parametrize("count", range(len(MANY) + 1))
def test_there_are_never_more_footnotes_than_a_reader_reads_and_none_is_lost(count):
    said = MANY[:count]
    lines = "".join(Notes(said).lines()).splitlines()
    assert len(lines) == min(count, len(lines)) <= MOST
    assert all(words(finding) in "\n".join(lines) for finding in said)
    for finding in said:
        (number,) = re.findall(r"<sup>(\d+)</sup>", Notes(said).mark([finding]))
        assert words(finding) in lines[int(number) - 1]


def test_all_kinds_at_once_are_not_too_many():
    assert len(FAMILIES) <= MOST
    assert all(any(issubclass(kind, family) for family in FAMILIES) for kind in WORDS)


def page(*warnings):
    rows = [result(precision=precision) for precision in ("fp16", "int8")]
    rows[0].speed.watch.warnings = list(warnings)
    config = experiment(models={"yolov5s": Source(weights="a")}, shapes=["static"])
    return rows, table.render(rows, config, dataset(4), "tensorrt")


@pytest.mark.parametrize(
    ("warnings", "first"),
    [
        ([], "All 2 speeds may be quoted"),
        ([OtherGpusBusy(0.9)], "All 2 speeds may be quoted"),
        ([NotWatched("processes")], "All 2 speeds may be quoted"),
        ([OthersUsedCpu(0.84)], "1 of 2 speeds may be quoted"),
        ([WideInterval(0.07)], "1 of 2 speeds may be quoted"),
        ([WatcherDied("lost")], "1 of 2 speeds may be quoted"),
        ([HalvesDiffer(0.1), OthersUsedCpu(0.84)], "1 of 2 speeds may be quoted"),
    ],
)
def test_the_first_line_counts_the_speeds_that_may_be_quoted(warnings, first):
    assert page(*warnings)[1].splitlines()[0].startswith(first)


def test_a_page_without_a_speed_counts_none():
    rows, _ = page()
    for row in rows:
        row.speed.audit.invalid.append(WrongPrecision("fp16", {"fp32": 1.0}))
    assert table.quotable(rows) == []


def test_each_cells_own_figures_stand_in_the_details_and_in_the_csv():
    rows, text = page(OthersUsedCpu(0.84), HalvesDiffer(0.1), Throttled("sw power cap"))
    details = detail_table.render(rows)
    (line,) = [line for line in details.splitlines() if "sw power cap" in line]
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells == ["tensorrt/yolov5s-fp16-static", "fp16", "84%", "10.0%", "throttled: sw power cap"]
    fp16, int8 = csv_table.frame(rows).to_dict("records")
    assert (fp16["others' CPU"], fp16["halves differ"], fp16["quotable"], int8["quotable"]) == (0.84, 0.1, False, True)
    assert fp16["warnings"] == (
        "other processes used 84% of the CPU; unstable: the halves of the run differ by 10.0% in the median; "
        "throttled: sw power cap"
    )
    assert pd.isna(int8["warnings"])
    assert [fp16[name] for name in ("backend", "model", "precision", "ran", "input", "batch")] == [
        "tensorrt", "yolov5s", "fp16", "fp16", "static", 1,
    ]  # fmt: skip
    assert "unstable" in text.partition("## Details")[0]


def test_the_csv_has_numbers_where_the_page_has_texts():
    rows, _ = page()
    rows = [rows[0], result(precision="int8", score=0.39, draws=(0.002, -0.003))]
    rows[1].references["float"] = rows[0].accuracy
    frame = csv_table.frame(rows)
    assert frame.loc[1, "less float"] == pytest.approx(-1.0)
    assert frame.loc[1, "± less float"] == pytest.approx(100 * 0.0021213, rel=1e-3)
    assert frame.loc[0, ["p50 low ms", "p50 high ms"]].tolist() == [2.0, 2.0]
    assert frame["less torch"].isna().all()
