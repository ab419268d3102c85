"""From weights to eight-bit ones: a step for each output channel, and which way to round."""

import numpy as np

CLIPS = np.linspace(0.6, 1.0, 41)  # fractions of a channel's largest weight that are tried
FINEST = 1e-8  # largest weight of a channel that is zero throughout
TOP, NARROW_TOP = 127, 64  # of the steps of weights in eight bits, and of those whose pairs of products fit 16 bits
BLOCK = 64  # inputs between two updates of all that come later
DAMPING = 0.01  # of the inputs' mean variance, added to each, so that dead channels do not make the covariance singular


def steps(weight: np.ndarray, top: int = TOP) -> np.ndarray:
    """Choose each output channel's step [out] for weights [out, ...] by least squares over how many are clipped."""
    rows = weight.reshape(len(weight), -1)
    extreme = np.maximum(np.abs(rows).max(1), FINEST)
    tried = np.stack([extreme * clip / top for clip in CLIPS])
    errors = np.stack([np.square(nearest(rows, step, top) - rows).sum(1) for step in tried])
    return np.take_along_axis(tried, errors.argmin(0)[None], 0)[0].astype(np.float32)


def nearest(weight: np.ndarray, step: np.ndarray, top: int = TOP) -> np.ndarray:
    """Round weights [out, ...] to the nearest of -top..top steps [out]."""
    step = step.reshape(-1, *[1] * (weight.ndim - 1))
    return np.minimum(np.maximum(np.rint(weight / step), -top), top) * step


def gptq(weight: np.ndarray, step: np.ndarray, covariance: np.ndarray, top: int = TOP) -> np.ndarray:
    """Round weights [out, in] so that the output [out] varies least from the exact one, for inputs of a covariance.

    One input after the other is rounded, and those still to come make up for the change as far as they vary with it.
    Source: E. Frantar et al., GPTQ, arXiv 2210.17323.
    """
    order = np.argsort(-np.diag(covariance), kind="stable")
    damped = covariance[np.ix_(order, order)] + DAMPING * max(np.trace(covariance) / len(order), FINEST) * np.eye(
        len(order)
    )
    factor = np.linalg.cholesky(np.linalg.inv(damped)).T  # upper: row i tells how the later inputs make up for i
    rest = weight.T[order].astype(np.float64)  # [in, out]: what is rounded in one step lies together
    result = np.empty(rest.shape)
    for start in range(0, len(order), BLOCK):
        end = min(start + BLOCK, len(order))
        changes = np.empty((end - start, len(weight)))
        for index in range(start, end):
            result[index] = nearest(rest[index], step, top)
            changes[index - start] = (rest[index] - result[index]) / factor[index, index]
            rest[index + 1 : end] -= factor[index, index + 1 : end, None] * changes[index - start]
        rest[end:] -= factor[start:end, end:].T @ changes  # later blocks learn of it at once
    return result[np.argsort(order)].T.astype(weight.dtype)
