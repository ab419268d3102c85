"""How an engine's outputs agree with those of its float32 graph."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnxruntime

from speedmap.dataset import images
from speedmap.engines.interface import Session
from speedmap.graph.detector_graph import INPUT
from speedmap.model.postprocess import SEEN, check, overlaps, scores
from speedmap.results.audit import Agreement

IMAGES, MOST = 8, 64  # calibration images that are compared, and looked at for some in which something is seen


def agreement(
    session: Session,
    reference: onnxruntime.InferenceSession,
    files: list[str],
    imgsz: int,
    dynamic: bool,
    batch: int = 1,
) -> Agreement:
    """Compare an engine's outputs with those of the float32 graph on the first few images in which that sees something.

    On any where it sees nothing. Returns `scores`, the least cosine between the two's class scores over an image (that
    of scores of nothing would be that of noise), and `boxes`, the median overlap of the boxes of each image's 20 best
    anchors. Of a batch every image in every position.

    reference: of one image, whatever the batch of the engine.
    """
    cosines, boxes, looked_at = [], [], [Path(file) for file in files[:MOST]]
    inputs = images_with_detections(reference, looked_at, imgsz, dynamic, IMAGES, SEEN)
    inputs = inputs or images_with_detections(reference, looked_at, imgsz, dynamic, IMAGES, -1)
    pixels, expected = [image for image, _ in inputs], [_expected(rows) for _, (rows,) in inputs]
    for places in arrangements(len(inputs), batch):
        session.load(pixels[places[0]] if batch == 1 else np.concatenate([pixels[place] for place in places]))
        session.run()
        for place, rows in zip(places, session.fetch(), strict=True):
            wanted = expected[place]
            output = check(rows, wanted.scores.shape[1])
            cosines.append(_cosine(scores(output.astype(float)), wanted.scores))
            boxes += np.diag(overlaps(_corners(output[wanted.best]), wanted.corners)).tolist()
    return Agreement(scores=float(np.min(cosines)), boxes=float(np.median(boxes)), images=len(inputs))


def arrangements(images: int, batch: int) -> list[list[int]]:
    """Fill as many batches as there are images, each image once in every position."""
    return [[(first + position) % images for position in range(batch)] for first in range(images)]


class Expected(NamedTuple):
    """What the float32 graph gives for an image: class scores, the best anchors, and the corners of their boxes."""

    scores: np.ndarray
    best: np.ndarray
    corners: np.ndarray


def _expected(rows: np.ndarray) -> Expected:
    best = np.argsort(-scores(rows).max(1))[:20]
    return Expected(scores(rows.astype(float)), best, _corners(rows[best]))


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float((a * b).sum() / max(np.linalg.norm(a) * np.linalg.norm(b), 1e-12))


def _corners(rows: np.ndarray) -> np.ndarray:
    return np.hstack((rows[:, :2] - rows[:, 2:4] / 2, rows[:, :2] + rows[:, 2:4] / 2)).astype(float)


def images_with_detections(
    graph: onnxruntime.InferenceSession, files: list[Path], imgsz: int, dynamic: bool, count: int, least: float
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Take the first inputs [1, 3, h, w] in which a graph sees something, with its outputs [1, anchors, 5 + classes].

    count: at most so many. least: score that something must exceed. Raises OutputError for outputs that are not finite.
    """
    inputs: list[tuple[np.ndarray, np.ndarray]] = []
    for file in files:
        batch, _ = images.load(file, imgsz, dynamic)
        output = graph.run(None, {INPUT: batch})[0]
        if scores(check(output[0], output.shape[-1] - 5)).max() > least:
            inputs.append((batch, output))
        if len(inputs) == count:
            break
    return inputs
