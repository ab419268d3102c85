"""Run a data set through an engine and collect what it finds."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import numpy as np
from tqdm import tqdm

from speedmap import detections, geometry, images
from speedmap.cells import Cell
from speedmap.detections import Detections
from speedmap.geometry import Placement
from speedmap.interface import Session

AHEAD = 8  # images that wait decoded, and outputs that wait for their boxes


def detect(
    module: ModuleType, cell: Cell, engine: Path, data: dict, imgsz: int, protocol: dict, part: tuple[int, int]
) -> dict:
    """Detect in a part of the data set; returns its COCO results, in the order of the images, and how they came about.

    part: (2, 3) is the second of three parts, which follow one another and are as good as equal.
    """
    number, parts = part
    first, end = (len(data["images"]) * edge // parts for edge in (number - 1, number))
    categories = [category["id"] for category in data["categories"]]
    with module.Session(engine, cell) as session:
        listed = data["images"][first:end]
        found = find(session, listed, imgsz, cell.shape == "dynamic", protocol, categories)
        return {"part": [number, parts], "imgsz": imgsz, "session": session.facts, "detections": found}


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
        found = detections.detect(detections.check(output, len(categories)), **protocol)
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
