import pytest

from helpers.record_factory import accuracy
from speedmap.accuracy import paired_difference
from speedmap.accuracy.paired_difference import Difference
from speedmap.results.cell import Cell

CELL = Cell("null", "a", "fp16", "static")


def test_the_standard_error_is_that_of_a_sample():
    assert paired_difference.standard_error([0.1, 0.2, 0.3]) == pytest.approx(0.1)
    assert paired_difference.standard_error([0.1]) is None


def test_what_moves_both_is_no_error_of_their_difference():
    ours, theirs = (accuracy(CELL, score=score, draws=draws) for score, draws in (
        (0.42, (0.40, 0.42, 0.44)), (0.41, (0.39, 0.41, 0.43))
    ))  # fmt: skip
    difference = paired_difference.between(ours, theirs)
    assert (difference.value, difference.error) == pytest.approx((0.01, 0), abs=1e-9)
    theirs.bootstrap.map = [0.39, 0.42, 0.42]
    assert paired_difference.between(ours, theirs).error == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("error", "text"), [(0.004, "-1.00 ± 0.40"), (0.0051, "≈ -1.00 ± 0.51"), (0.0, "-1.00 ± 0.00")]
)
def test_a_difference_within_two_errors_is_none(error, text):
    assert str(Difference(-0.01, error)) == text
