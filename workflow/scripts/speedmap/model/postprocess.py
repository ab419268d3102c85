"""From the network's raw rows to detections: confidence, non-maximum suppression, COCO results."""

from dataclasses import dataclass

import numpy as np

from speedmap.errors import UserError
from speedmap.results.findings import BoxesOutside, NoDetections, OfDetections

SEEN = 0.05  # score above which a row is of something: what lies below is noise
CANDIDATES = 30_000  # at most these enter non-maximum suppression, best first
MAX_DET = 300  # boxes of an image, as YOLOv5 keeps at most
BLOCK = 128  # boxes that non-maximum suppression compares at once
MOST_OUTSIDE = 0.05  # of all boxes may lie outside of their image, as some in the padding do


class OutputError(UserError):
    """An output that no detections can be read from; the message names what is wrong with it."""


@dataclass(frozen=True)
class Detections:
    """What was found in one image, best first: boxes [n, 4] x1 y1 x2 y2 in pixels, scores [n], classes [n]."""

    boxes: np.ndarray
    scores: np.ndarray
    classes: np.ndarray


def check(output: np.ndarray, classes: int) -> np.ndarray:
    """Return rows [anchors, 5 + classes]; OutputError when they are of other classes, or no finite numbers."""
    if output.shape[-1] != 5 + classes:
        raise OutputError(f"the output tells {output.shape[-1] - 5} classes apart, but the data set has {classes}; "
                          "the engine is of another model: delete it and run again")  # fmt: skip
    # neither NaN nor infinity gets lost in a sum, which is quicker than a look at each value
    if not np.isfinite(output.sum()) and (bad := int((~np.isfinite(output)).any(1).sum())):
        raise OutputError(f"{bad} of {len(output)} rows of an output have NaN or infinite values, as when a precision "
                          "overflows; leave the cell out with `skip`, and report it with the checkpoint")  # fmt: skip
    return output


def doubts(results: list[dict]) -> list[OfDetections]:
    """Return what is strange about COCO results, boxes cut off at the borders of their images; [] if nothing."""
    outside = sum(min(entry["bbox"][2:]) <= 0 for entry in results)
    if outside > MOST_OUTSIDE * len(results):
        return [BoxesOutside(outside, len(results))]
    return [] if results else [NoDetections()]


def scores(rows: np.ndarray) -> np.ndarray:
    """Return the scores [anchors, classes] of rows [anchors, 5 + classes]."""
    return rows[:, 5:] * rows[:, 4:5]


def candidates(output: np.ndarray, conf: float) -> Detections:
    """Take every (anchor, class) whose score exceeds `conf` from rows [anchors, 5 + classes], best first."""
    rows = output[output[:, 4] > conf]
    values = scores(rows)
    anchors, classes = np.nonzero(values > conf)
    values = values[anchors, classes]
    best = np.argsort(-values, kind="stable")[:CANDIDATES]
    centres, halves = rows[anchors[best], :2], rows[anchors[best], 2:4] / 2
    return Detections(np.hstack((centres - halves, centres + halves)), values[best], classes[best])


def suppress(detections: Detections, iou: float, limit: int) -> Detections:
    """Drop each box that overlaps a better one of its class by more than `iou`; keep the best `limit`."""
    kept = np.empty(0, int)
    for start in range(
        0, len(detections.scores), BLOCK
    ):  # in blocks, since `limit` is mostly reached long before the last
        block = np.arange(start, min(start + BLOCK, len(detections.scores)))
        block = block[~_conflicts(detections, block, kept, iou).any(1)]
        kept = np.append(kept, block[_greedy(_conflicts(detections, block, block, iou))])[:limit]
        if len(kept) == limit:
            break
    return Detections(detections.boxes[kept], detections.scores[kept], detections.classes[kept])


def _conflicts(detections: Detections, some: np.ndarray, others: np.ndarray, iou: float) -> np.ndarray:
    """Say [n, m] which of `some` [n] and `others` [m] are of one class and overlap by more than `iou`."""
    same = detections.classes[some][:, None] == detections.classes[others]
    return same & (overlaps(detections.boxes[some], detections.boxes[others]) > iou)


def _greedy(conflicts: np.ndarray) -> np.ndarray:
    """Choose from the first to the last whatever is in no conflict [n, n] with one chosen before."""
    free = np.ones(len(conflicts), bool)
    for index, row in enumerate(conflicts):
        if free[index]:
            free[index + 1 :] &= ~row[index + 1 :]
    return free


def detect(output: np.ndarray, conf: float, iou: float, max_det: int) -> Detections:
    """Turn one image's raw rows [anchors, 5 + classes] into its detections in network input pixels."""
    return suppress(candidates(output, conf), iou, max_det)


def overlaps(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Intersection over union [n, m] of boxes [n, 4] and [m, 4]."""
    a, b = a.T[:, :, None], b.T[:, None, :]
    width = np.minimum(a[2], b[2]) - np.maximum(a[0], b[0])
    height = np.minimum(a[3], b[3]) - np.maximum(a[1], b[1])
    intersection = width.clip(0) * height.clip(0)
    return intersection / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - intersection)


def to_coco(detections: Detections, image_id: int, category_ids: list[int]) -> list[dict]:
    """Write detections in image pixels as entries of a COCO result file (boxes x, y, width, height)."""
    boxes = (
        np.hstack((detections.boxes[:, :2], detections.boxes[:, 2:] - detections.boxes[:, :2])).astype(float).round(3)
    )
    scores, classes = detections.scores.astype(float).round(5), detections.classes
    return [
        {"image_id": image_id, "category_id": category_ids[category], "bbox": box, "score": score}
        for box, score, category in zip(boxes.tolist(), scores.tolist(), classes.tolist(), strict=True)
    ]
