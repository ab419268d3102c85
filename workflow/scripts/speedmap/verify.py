"""How an engine's outputs agree with those of its float32 graph."""

from pathlib import Path

import numpy as np
import onnxruntime

from speedmap import images
from speedmap.detections import SEEN, check, overlaps, scores
from speedmap.interface import INPUT, Session

IMAGES, MOST = 8, 64  # calibration images that are compared, and looked at for some in which something is seen


def agreement(
    session: Session, reference: onnxruntime.InferenceSession, files: list[str], imgsz: int, dynamic: bool
) -> dict:
    """Compare an engine's outputs with those of the float32 graph on the first few images in which that sees something.

    Returns `scores`, the least cosine between the two's class scores over an image (that of scores of nothing would be
    that of noise), and `boxes`, the median overlap of the boxes of each image's 20 best anchors.
    """
    cosines, boxes = [], []
    for batch, expected in _telling(reference, files, imgsz, dynamic):
        session.load(batch)
        session.run()
        found = check(session.fetch()[0], expected.shape[1] - 5)
        cosines.append(_cosine(scores(found.astype(float)), scores(expected.astype(float))))
        best = np.argsort(-scores(expected).max(1))[:20]
        boxes += np.diag(overlaps(_corners(found[best]), _corners(expected[best]))).tolist()
    return {"scores": float(np.min(cosines)), "boxes": float(np.median(boxes)), "images": len(cosines)}


def _telling(
    reference: onnxruntime.InferenceSession, files: list[str], imgsz: int, dynamic: bool
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Take the first inputs in which the float32 graph sees something, with its outputs; any where it sees nothing."""
    seen, others = [], []
    for file in files[:MOST]:
        batch, _ = images.load(Path(file), imgsz, dynamic)
        output = reference.run(None, {INPUT: batch})[0][0]
        if scores(output).max() > SEEN:
            seen.append((batch, output))
        elif len(others) < IMAGES:
            others.append((batch, output))
        if len(seen) == IMAGES:
            break
    return seen or others


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float((a * b).sum() / max(np.linalg.norm(a) * np.linalg.norm(b), 1e-12))


def _corners(rows: np.ndarray) -> np.ndarray:
    return np.hstack((rows[:, :2] - rows[:, 2:4] / 2, rows[:, :2] + rows[:, 2:4] / 2)).astype(float)
