"""What the report says first: budgets, losses, INT8's gains, the line to quote; the line of a cell and its history."""

from dataclasses import replace

import pytest
from msgspec import structs

from helpers.record_factory import experiment, measured, result, speedup, watch
from speedmap.reporting import cell_table, claims, sparkline, verdicts
from speedmap.results.environment import Opened
from speedmap.results.findings import ScoresDisagree
from speedmap.results.reported import Change
from speedmap.results.timing_findings import OthersUsedCpu

DRAWS = {"sure": (0.001, -0.001), "unsure": (0.05, -0.05)}


def cell(model, ms, score, draws=(0.0, 0.0), precision="fp16", **facts):
    return result("tensorrt", model, precision, median=ms, low=ms, high=ms, score=score, draws=draws, **facts)


S, M, L = cell("s", 1.0, 0.3), cell("m", 2.0, 0.400), cell("l", 4.0, 0.401, draws=(0.01, -0.01))


def test_a_budget_is_answered_by_the_fastest_of_those_whose_map_is_not_surely_lower():
    assert verdicts.most_accurate([S, M, L], 4.0) == M  # l has more, within its error
    assert verdicts.most_accurate([S, M, cell("l", 4.0, 0.41)], 4.0).cell.model == "l"
    assert verdicts.most_accurate([S, M, L], 1.9) == S
    assert verdicts.most_accurate([S, M, L], 0.9) is None


def test_of_an_unknown_error_any_lower_map_is_lower():
    assert verdicts.most_accurate([S, M, cell("l", 4.0, 0.401, draws=())], 4.0).cell.model == "l"


def test_budgets_go_from_the_fastest_cell_to_the_slowest_one():
    answers = verdicts.budgets([S, M, L])
    assert (answers[0].label, answers[-1].label) == ("1 ms", "4 ms")
    assert len(answers) == verdicts.STEPS + 1
    assert answers[0].accurate == answers[0].fastest
    assert answers[0].fastest.startswith("s TensorRT FP16 static: 1 ms (1 to 1), end to end 5 ms, mAP 30.0 ± 1.0")
    assert answers[-1].accurate.startswith("m ")
    assert answers[verdicts.start(answers, [S, M, L])].label == "2 ms"


@pytest.mark.parametrize(("ms", "label"), [(0.12341, "0.124 ms"), (12.0, "12 ms"), (1234.5, "1240 ms")])
def test_budgets_are_rounded_so_that_the_cell_keeps_them(ms, label):
    (answer, *_) = verdicts.budgets([cell("s", ms, 0.3)])
    assert answer.label == label
    assert answer.fastest


def test_what_is_invalid_answers_nothing_and_what_is_disturbed_is_marked():
    assert verdicts.budgets([cell("s", 1.0, 0.3, invalid=[ScoresDisagree(0.3)])]) == []
    (answer, *_) = verdicts.budgets([cell("s", 1.0, 0.3, warnings=[OthersUsedCpu(0.4)])])
    assert answer.fastest.endswith("(not to be quoted: other processes used 40% of the CPU)")


def test_losses_are_held_against_torch_before_fp16_the_least_first():
    torch, fp16 = cell("s", 1.0, 0.3), cell("s", 1.0, 0.32)
    small = replace(
        cell("s", 1.0, 0.29, precision="int8"), references={"torch": torch.accuracy, "float": fp16.accuracy}
    )
    other = replace(cell("m", 1.0, 0.35, precision="int8"), references={"float": fp16.accuracy})
    first, second = verdicts.losses([small, other, torch])
    assert (first.against, first.difference.value) == ("float", pytest.approx(0.03))
    assert (second.against, second.difference.value) == ("torch", pytest.approx(-0.01))


CALM = watch()


def pair(ratio=1.25, watched=CALM, **facts):
    small = cell("s", 0.8, 0.29, precision="int8", **facts)
    return [cell("s", 1.0, 0.3), replace(small, speedup=structs.replace(speedup(small.cell, ratio), watch=watched))]


def test_the_gain_is_that_of_the_turns_with_their_doubt():
    (gain,) = verdicts.gains(pair())
    assert (gain.ratio, gain.low, gain.high, gain.turns, gain.doubt) == (1.25, 1.25, 1.25, True, "")
    assert gain.cost.value == pytest.approx(-0.01)
    assert verdicts.gains(pair(watched=watch(OthersUsedCpu(0.4))))[0].doubt == "the turns were disturbed"
    assert verdicts.gains(pair(watched=None))[0].doubt == "not noted whether anything disturbed the turns"


def test_without_turns_the_gain_is_that_of_the_medians_with_the_doubt_of_either():
    fp16, int8 = (replace(row, speedup=None) for row in pair())
    (gain,) = verdicts.gains([fp16, int8])
    assert (gain.ratio, gain.turns, gain.doubt) == (pytest.approx(1.25), False, "")
    assert gain.low < 1.25 < gain.high
    noisy = replace(cell("s", 1.0, 0.3, warnings=[OthersUsedCpu(0.4)]))
    assert verdicts.gains([noisy, int8])[0].doubt == verdicts.DISTURBED
    assert verdicts.gains(pair(invalid=[ScoresDisagree(0.3)])) == []


def test_the_line_to_quote_names_machine_figures_and_doubt():
    (line,) = map(str, claims.claims(pair(watched=None), experiment(shapes=["dynamic", "static"])))
    assert line == (
        "INT8 against FP16 on NVIDIA RTX 2060, TensorRT 10.3.0, static input 640 x 640, batch 1: s 1.250 times as fast "
        "(1.250 to 1.250), -1.00 ± 0.00 mAP. In brackets: 95% interval of engines that took turns; mAP50-95 in points "
        "with its standard error, on 4 images of tiny. Doubt: not noted whether anything disturbed the turns."
    )


def test_the_line_to_quote_says_that_engines_were_opened_once():
    rows = [replace(row, speedup=row.speedup and structs.replace(row.speedup, openings=1)) for row in pair()]
    (line,) = map(str, claims.claims(rows, experiment(shapes=["dynamic", "static"])))
    assert "95% interval of engines that took turns, opened once; " in line


def test_without_int8_the_medians_are_quoted():
    noisy = cell("m", 2.0, 0.4, warnings=[OthersUsedCpu(0.4)])
    (line,) = map(str, claims.claims([S, noisy], experiment(shapes=["static"])))
    assert "s FP16 1 ms (1 to 1), mAP 30.0 ± 1.0; m FP16 2 ms (2 to 2), mAP 40.0 ± 1.0 (not to be quoted)." in line
    assert claims.claims([], experiment()) == []


def past(value, day, **facts):
    return measured(S.title, value=value, day=day, **facts)


def test_a_cell_has_a_line_with_its_rates_doubts_verdicts_and_history():
    changes = [Change(S.title, "speed", "regressed", 1.0, 2.0, 1.0, 0.1), Change(M.title, "speed", "new", None, 2.0)]
    first, second = cell_table.lines([S, M], changes, [past(0.9, 1), past(1.1, 2), past(9, 3, platform={})])
    assert (first.ms, first.per_second, first.end_to_end, first.end_per_second) == ("1.00", "1000", "5.00", "200")
    assert first.judged == [("bad", "ms +100.0%, regressed")]
    assert second.judged == [("plain", "speed new")]
    assert "2 measured, 0.9 to 1.1 ms, the last 1.1 ms" in first.history  # not what another machine took
    assert second.history == ""


def test_an_invalid_cell_has_no_figures_but_the_reason():
    (line,) = cell_table.lines([cell("s", 1.0, 0.3, invalid=[ScoresDisagree(0.3)])], [], [])
    assert (line.ms, line.interval, line.score, line.end_per_second) == ("", "", "", "")
    assert line.doubts == "invalid: scores disagree with the float32 graph (cosine 0.300)"


def test_slower_is_higher_in_the_history_and_noise_stays_small():
    (left, low), (right, high) = sparkline._places([1.0, 2.0])
    assert left < right
    assert (low, high) == (sparkline.HEIGHT - sparkline.EDGE, sparkline.EDGE)
    (_, first), (_, second) = sparkline._places([1.0, 1.0001])
    assert abs(first - second) < 1


def test_a_batch_answers_no_budget_of_one_image_but_has_its_images_a_second():
    row = cell("s", 4.0, 0.3)
    batch = replace(row, cell=replace(row.cell, batch=8), accuracy=None)
    assert verdicts.budgets([batch]) == []
    assert cell_table.lines([batch], [], [])[0].per_second == "2000"
    assert claims.claims([batch], experiment(shapes=["static"])) == []


def test_power_and_memory_are_shown_where_they_were_measured():
    speed = structs.replace(
        S.speed, session=Opened(activations_mib=20.6), watch=structs.replace(CALM, ranges={"power_w": (201.7, 283.9)})
    )
    measured, plain = cell_table.lines([replace(S, speed=speed), replace(S, engine=None)], [], [])
    assert (measured.power, measured.memory) == ("202 to 284", "10.0 MB + 20.6 MiB")
    assert (plain.power, plain.memory) == ("", "")
