"""How an engine's outputs agree with those of its float32 graph."""

from pathlib import Path

import numpy as np
import onnxruntime

from speedmap.detections import SEEN, check, overlaps, scores
from speedmap.interface import Session
from speedmap.reference import telling

IMAGES, MOST = 8, 64  # calibration images that are compared, and looked at for some in which something is seen


def agreement(
    session: Session, reference: onnxruntime.InferenceSession, files: list[str], imgsz: int, dynamic: bool
) -> dict:
    """Compare an engine's outputs with those of the float32 graph on the first few images in which that sees something.

    On any where it sees nothing. Returns `scores`, the least cosine between the two's class scores over an image (that
    of scores of nothing would be that of noise), and `boxes`, the median overlap of the boxes of each image's 20 best
    anchors.
    """
    cosines, boxes, looked_at = [], [], [Path(file) for file in files[:MOST]]
    inputs = telling(reference, looked_at, imgsz, dynamic, IMAGES, SEEN)
    inputs = inputs or telling(reference, looked_at, imgsz, dynamic, IMAGES, -1)
    for batch, (expected,) in inputs:
        session.load(batch)
        session.run()
        found = check(session.fetch()[0], expected.shape[1] - 5)
        cosines.append(_cosine(scores(found.astype(float)), scores(expected.astype(float))))
        best = np.argsort(-scores(expected).max(1))[:20]
        boxes += np.diag(overlaps(_corners(found[best]), _corners(expected[best]))).tolist()
    return {"scores": float(np.min(cosines)), "boxes": float(np.median(boxes)), "images": len(cosines)}


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float((a * b).sum() / max(np.linalg.norm(a) * np.linalg.norm(b), 1e-12))


def _corners(rows: np.ndarray) -> np.ndarray:
    return np.hstack((rows[:, :2] - rows[:, 2:4] / 2, rows[:, :2] + rows[:, 2:4] / 2)).astype(float)
