"""Outlines of the sample's shapes, of about unit radius, upright with y downwards."""

import numpy as np

Array = np.ndarray


def arc(start: float, stop: float, points: int = 72, radius: float = 1.0) -> Array:
    """Return points [n, 2] on a circle, between two angles in turns."""
    angles = 2 * np.pi * np.linspace(start, stop, points)
    return radius * np.stack((np.cos(angles), np.sin(angles)), 1)


def star() -> Array:
    return np.stack((arc(-0.25, 0.55, 5), arc(-0.15, 0.65, 5, 0.4)), 1).reshape(-1, 2)


def cross(arm: float = 0.3) -> Array:
    quarter = np.array([(1, -arm), (1, arm), (arm, arm)])
    turn = np.array([(0, 1), (-1, 0)])
    return np.concatenate([quarter @ np.linalg.matrix_power(turn, times) for times in range(4)])


def heart() -> Array:
    t = 2 * np.pi * np.linspace(0, 1, 72)
    y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return np.stack((16 * np.sin(t) ** 3, -y), 1) / 17


# A turned one is another shape or none of these.
SHAPES = {
    "disc": arc(0, 1),
    "ring": arc(0, 1),
    "square": np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * 0.85,
    "bar": np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * (1, 0.33),
    "triangle": np.array([(0, -1), (1, 0.8), (-1, 0.8)]),
    "star": star(),
    "cross": cross(),
    "heart": heart(),
}
NAMES = tuple(SHAPES)
