"""The accuracy job: run a data set through an engine, collect what it finds, and score that."""

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import numpy as np
from tqdm import tqdm

from speedmap import coco, detections, differences, geometry, images, map_error, records
from speedmap.cells import Cell
from speedmap.detections import Detections
from speedmap.geometry import Placement
from speedmap.interface import Session
from speedmap.measurement import describe

AHEAD = 8  # images that wait decoded, and outputs that wait for their boxes


def score(
    module: ModuleType, cell: Cell, engine: Path, data: dict, imgsz: int, protocol: dict
) -> tuple[dict, list[dict]]:
    """Detect in every image of the data set and score it; returns the accuracy record's part, and the COCO results."""
    categories = [category["id"] for category in data["categories"]]
    with module.Session(engine, cell) as session:
        found = find(session, data["images"], imgsz, cell.shape == "dynamic", protocol, categories)
        facts = session.facts
    return {
        **judge(Path(data["annotations"]), found, [image["id"] for image in data["images"]]),
        "imgsz": imgsz,
        "dataset": describe(data),
        "session": facts,
        "warnings": [] if found else ["no detections at all"],
    }, found


def find(
    session: Session, listed: list[dict], imgsz: int, dynamic: bool, protocol: dict, categories: list[int]
) -> list[dict]:
    """Detect in every image; decoding and suppression run beside inference.

    listed: images with `id` and `file`. protocol: conf, iou, max_det. Returns COCO results, in the order of the images.
    """

    def read(image: dict) -> tuple[int, np.ndarray, Placement]:
        return image["id"], *images.load(Path(image["file"]), imgsz, dynamic)

    def infer() -> Iterator[tuple[int, np.ndarray, Placement]]:
        for image_id, batch, placement in progress(ahead(readers, read, listed)):
            session.load(batch)
            session.run()
            yield image_id, session.fetch()[0].copy(), placement

    def write(item: tuple[int, np.ndarray, Placement]) -> list[dict]:
        image_id, output, placement = item
        found = detections.detect(output, **protocol)
        mapped = Detections(geometry.to_image(found.boxes, placement), found.scores, found.classes)
        return detections.to_coco(mapped, image_id, categories)

    def progress(items: Iterable) -> Iterable:
        return tqdm(items, "detecting", len(listed), unit="image", disable=None, leave=False)

    with ThreadPoolExecutor(2) as readers, ThreadPoolExecutor(2) as writers:
        return [entry for entries in ahead(writers, write, infer()) for entry in entries]


def ahead(pool: Executor, function: Callable, items: Iterable) -> Iterator:
    """Map in order with at most AHEAD results waiting, so that memory stays bounded whatever the number of items."""
    waiting = deque()
    for item in items:
        waiting.append(pool.submit(function, item))
        if len(waiting) > AHEAD:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def judge(annotations: Path, found: list[dict], image_ids: list[int]) -> dict:
    """Score COCO results; returns the metrics, `map_se` among them, and the jackknife's influences behind that.

    map_se: the standard error of map over other images like these, None when nothing was found.
    """
    if not found:
        return {"metrics": {**dict.fromkeys(coco.METRICS, 0.0), "map_se": None}, "jackknife": {}}
    evaluation = coco.evaluation(annotations, found, image_ids)
    influences = map_error.influences(evaluation)
    error = differences.standard_error(influences["map"])
    return {"metrics": {**coco.metrics(evaluation), "map_se": error}, "jackknife": influences}


def write_detections(path: Path, found: list[dict]) -> None:
    """Write a COCO result file."""
    with records.atomic(path) as temporary:
        temporary.write_text(json.dumps(found))
