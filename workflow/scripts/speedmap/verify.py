"""How an engine's outputs agree with those of its float32 graph."""

from pathlib import Path

import numpy as np
import onnxruntime

from speedmap import images
from speedmap.detections import check, overlaps
from speedmap.interface import INPUT, Session

IMAGES = 8  # calibration images that are compared


def agreement(
    session: Session, reference: onnxruntime.InferenceSession, files: list[str], imgsz: int, dynamic: bool
) -> dict:
    """Compare an engine's outputs with those of the float32 graph on a few images.

    Returns `scores`, the least cosine between the two's class scores over an image, and `boxes`, the median overlap of
    the boxes of each image's 20 best anchors.
    """
    cosines, boxes = [], []
    for file in files[:IMAGES]:
        batch, _ = images.load(Path(file), imgsz, dynamic)
        session.load(batch)
        session.run()
        expected = reference.run(None, {INPUT: batch})[0][0]
        found = check(session.fetch()[0], expected.shape[1] - 5)
        cosines.append(_cosine(_scores(found), _scores(expected)))
        best = np.argsort(-_scores(expected).max(1))[:20]
        boxes += np.diag(overlaps(_corners(found[best]), _corners(expected[best]))).tolist()
    return {"scores": float(np.min(cosines)), "boxes": float(np.median(boxes)), "images": len(cosines)}


def _scores(output: np.ndarray) -> np.ndarray:
    return output[:, 5:].astype(float) * output[:, 4:5]


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float((a * b).sum() / max(np.linalg.norm(a) * np.linalg.norm(b), 1e-12))


def _corners(rows: np.ndarray) -> np.ndarray:
    return np.hstack((rows[:, :2] - rows[:, 2:4] / 2, rows[:, :2] + rows[:, 2:4] / 2)).astype(float)
