from itertools import count

import pytest

from speedmap.timing.protocol import Protocol, collect, warm_up


def ticking(step):
    ticks = count(0, step)
    return lambda: next(ticks)


def test_measures_until_both_time_and_count_are_reached():
    few_but_long = collect(lambda item: 1.0, ["a"], Protocol(0, 10, 2), clock=ticking(1.0))
    many_but_short = collect(lambda item: 1.0, ["a"], Protocol(0, 0, 25), clock=ticking(1.0))
    assert len(few_but_long) >= 9
    assert len(many_but_short) == 25


def test_inputs_take_turns_in_their_order():
    calls = []
    samples = collect(lambda item: calls.append(item) or 2.0, ["a", "b", "b"], Protocol(0, 0, 6))
    assert calls == ["a", "b", "b", "a", "b", "b"]
    assert samples[0] == ("a", 2.0)


@pytest.mark.parametrize(("wanted", "taken"), [(2, 2), (3, 5), (5, 5), (6, 10), (11, 15)])
def test_the_last_round_is_ended_unless_that_more_than_doubles_the_calls(wanted, taken):
    assert len(collect(lambda item: 1.0, list("abcde"), Protocol(0, 0, wanted))) == taken


def test_warm_up_runs_at_least_once():
    calls = []
    warm_up(lambda item: calls.append(item) or 0.0, ["a"], Protocol(0, 0, 0))
    assert calls == ["a"]
