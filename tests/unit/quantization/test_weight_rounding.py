import numpy as np

from speedmap.quantization import weight_rounding


def test_each_channel_has_its_own_step():
    weight = np.random.default_rng(0).normal(size=(4, 8, 3, 3)) * np.array([1, 10, 100, 0]).reshape(4, 1, 1, 1)
    step = weight_rounding.steps(weight)
    assert np.all(step > 0)
    assert step[2] > 5 * step[1] > 25 * step[0]
    assert np.abs(weight_rounding.nearest(weight, step) - weight)[3].max() == 0


def test_weights_stay_on_their_steps():
    weight = np.random.default_rng(0).normal(size=(5, 16))
    step = weight_rounding.steps(weight)
    for rounded in (weight_rounding.nearest(weight, step), weight_rounding.gptq(weight, step, np.eye(16))):
        levels = rounded / step[:, None]
        np.testing.assert_allclose(levels, np.round(levels), atol=1e-4)
        assert np.abs(levels).max() < 127.5


def test_compensation_lessens_the_change_of_outputs_for_correlated_inputs():
    random = np.random.default_rng(0)
    inputs = random.normal(size=(2000, 4)) @ random.normal(size=(4, 32)) + 0.1 * random.normal(size=(2000, 32))
    weight = random.normal(size=(8, 32))
    step = weight_rounding.steps(weight) * 8  # coarse, so that it shows
    plain = inputs @ (weight_rounding.nearest(weight, step) - weight).T
    compensated = inputs @ (weight_rounding.gptq(weight, step, np.cov(inputs.T)) - weight).T
    assert compensated.var() < plain.var() / 4


def test_blocks_change_nothing(monkeypatch):
    random = np.random.default_rng(0)
    weight, inputs = random.normal(size=(4, 96)), random.normal(size=(500, 8)) @ random.normal(size=(8, 96))
    step, covariance = weight_rounding.steps(weight), np.cov(inputs.T)
    results = []
    for size in (7, 64, 96):
        monkeypatch.setattr(weight_rounding, "BLOCK", size)
        results.append(weight_rounding.gptq(weight, step, covariance))
    np.testing.assert_allclose(results[0], results[2], atol=1e-9)
    np.testing.assert_allclose(results[1], results[2], atol=1e-9)


def test_inputs_that_never_vary_do_no_harm():
    covariance = np.diag([1.0, 0.0, 2.0])
    weight = np.random.default_rng(0).normal(size=(4, 3))
    step = weight_rounding.steps(weight)
    assert np.isfinite(weight_rounding.gptq(weight, step, covariance)).all()
    assert np.isfinite(weight_rounding.gptq(weight, step, 0 * covariance)).all()
