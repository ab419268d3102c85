from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from speedmap.quantization import ranges
from speedmap.quantization.ranges import HALF, Histogram


def histogram(values):
    values = np.asarray(values, np.float64)
    width = ranges.width_for(np.abs(values).max(initial=0))
    counts = np.bincount((np.floor(values / width) + HALF).astype(int), minlength=2 * HALF)
    return Histogram(counts, width, float(values.min()), float(values.max()))


@pytest.fixture(scope="module")
def silu():
    x = np.random.default_rng(0).normal(0, 2, 100_000)
    return x / (1 + np.exp(-x))


def change(values, scale):
    return float(np.square(scale.round(values) - values).mean())


def test_histograms_of_different_widths_add_up_exactly():
    small, large = np.linspace(-0.2, 0.9, 1000), np.linspace(-3, 50, 777)
    total, expected = histogram(small) + histogram(large), histogram(np.concatenate((small, large)))
    assert total.width == expected.width
    assert (total.low, total.high) == (-3, 50)
    np.testing.assert_array_equal(total.counts, expected.counts)


def test_a_value_lies_within_half_a_bin_of_the_centre_of_its_bin(silu):
    data = histogram(silu)
    for value in silu[:100]:
        assert np.abs(data.centres[histogram([value, data.high]).counts.nonzero()] - value).min() <= data.width / 2


@pytest.mark.parametrize("extreme", [0, 1e-30, 1 / 3, 1, 255.5, 1e6])
def test_width_holds_the_extreme(extreme):
    assert extreme < HALF * ranges.width_for(extreme)


@pytest.mark.parametrize("method", ranges.METHODS.values(), ids=ranges.METHODS)
@pytest.mark.parametrize("signed", [True, False])
def test_every_method_keeps_zero_exact_and_most_values_close(method, signed, silu):
    chosen = method(histogram(silu), signed)
    assert chosen.round(np.zeros(1)) == 0
    assert chosen.signed == signed
    assert np.median(np.abs(chosen.round(silu) - silu)) <= chosen.step / 2


@pytest.mark.parametrize("signed", [True, False])
def test_least_squares_beat_the_other_methods_in_squares(signed, silu):
    values = np.append(silu, [20.0])  # an outlier
    errors = {name: change(values, method(histogram(values), signed)) for name, method in ranges.METHODS.items()}
    assert errors["mse"] <= min(errors.values()) * 1.02
    assert errors["mse"] < 0.95 * errors["max"]


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("power", [2, 2.5])
@pytest.mark.parametrize("many", [1, 1000])  # which make the best clipping one that changes mostly what it clips
def test_no_clipping_that_is_tried_changes_less(signed, power, many, silu):
    data = histogram(np.append(silu, np.linspace(30, 40, 30)))
    data = replace(data, counts=np.where(data.centres > 20, data.counts, many * data.counts))
    clips = zip(ranges.CLIPS, ranges.CLIPS, strict=True) if signed else product(ranges.LOW_CLIPS, ranges.CLIPS)
    tried = [ranges.scale(data.low * low, data.high * high, signed) for low, high in clips]
    changes = [data.counts @ np.abs(each.round(data.centres) - data.centres) ** power for each in tried]
    chosen = ranges.least(data, signed, power)
    assert chosen == tried[np.argmin(changes)]
    assert chosen != ranges.maximum(data, signed)


def test_a_rare_outlier_is_clipped_below_as_above(silu):
    for outlier in (-30, 30):
        data = histogram(np.append(silu, [outlier]))
        data = replace(data, counts=np.where(np.abs(data.centres) < 20, 10_000 * data.counts, data.counts))
        assert ranges.METHODS["power"](data, False).step < 0.5 * ranges.maximum(data, False).step


@pytest.mark.parametrize(("low", "high", "zero"), [(3, 5, 0), (-5, -3, 255)])
def test_a_range_beside_zero_is_widened_to_hold_it(low, high, zero):
    chosen = ranges.scale(low, high, False)
    assert (chosen.step, chosen.zero) == (5 / 255, zero)
    np.testing.assert_allclose(chosen.round(np.array([0.0, low, high])), [0, low, high], atol=1e-12)


def test_max_spans_everything(silu):
    for signed in (True, False):
        chosen = ranges.maximum(histogram(silu), signed)
        assert np.abs(chosen.round(silu) - silu).max() <= chosen.step


def test_unsigned_scale_halves_the_step_where_little_lies_below_zero(silu):
    data = histogram(silu)
    assert ranges.maximum(data, False).step < 0.6 * ranges.maximum(data, True).step


def test_images_are_exact_in_unsigned_eight_bits():
    pixels = np.arange(256) / 255
    chosen = ranges.maximum(histogram(pixels), False)
    np.testing.assert_allclose(chosen.round(pixels), pixels, atol=1e-12)


@pytest.mark.parametrize("method", ranges.METHODS.values(), ids=ranges.METHODS)
def test_a_tensor_that_is_zero_throughout_gets_a_scale(method):
    chosen = method(histogram(np.zeros(10)), False)
    assert (chosen.step, chosen.round(np.zeros(1))) == (1, 0)


@pytest.mark.parametrize("value", [0.5, -0.5])
@pytest.mark.parametrize("signed", [True, False])
def test_constant_tensors_are_kept(value, signed):
    chosen = ranges.METHODS["power"](histogram(np.full(10, value)), signed)
    assert chosen.round(np.array([value])) == pytest.approx(value, rel=0.01)
