"""Check that an engine computes what its float32 graph computes, in the precision it is named after."""

from pathlib import Path

import numpy as np
import onnxruntime

from speedmap import images
from speedmap.detections import overlaps
from speedmap.interface import INPUT, Session

IMAGES = 8  # calibration images that are compared
LEAST_SCORES = {"fp32": 0.999, "fp16": 0.98, "bf16": 0.98, "int8": 0.90}  # rubbish lies far below, rounding far above
LEAST_OVERLAP = {"fp32": 0.99, "fp16": 0.95, "bf16": 0.95, "int8": 0.80}
LEAST_SHARE = 0.90  # of the multiply-adds that must run in the precision that the cell is named after
EQUIVALENT = {"fp16": {"fp16", "bf16", "fp32"}}  # what a device without fp16 may run instead, and the header then names


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
        found, expected = session.fetch()[0], reference.run(None, {INPUT: batch})[0][0]
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


def ran(shares: dict[str, float]) -> str:
    """Name the precision that most multiply-adds run in."""
    return max(shares, key=shares.get)


def reasons(asked: str, shares: dict[str, float], agreed: dict, allow: dict = EQUIVALENT) -> list[str]:
    """Say why a cell's figures would be worthless; [] when they are not.

    asked: the precision of the cell. shares: of the multiply-adds by precision. agreed: as from `agreement`.
    """
    precision = ran(shares)
    found = []
    if precision not in allow.get(asked, {asked}) or shares[precision] < LEAST_SHARE:
        listed = ", ".join(f"{share:.0%} {name}" for name, share in shares.items())
        found.append(f"asked for {asked} but runs {listed}")
    if not agreed["scores"] >= LEAST_SCORES[precision if precision in LEAST_SCORES else asked]:
        found.append(f"scores disagree with the float32 graph (cosine {agreed['scores']:.3f})")
    if not agreed["boxes"] >= LEAST_OVERLAP[precision if precision in LEAST_OVERLAP else asked]:
        found.append(f"boxes disagree with the float32 graph (overlap {agreed['boxes']:.3f})")
    return found
