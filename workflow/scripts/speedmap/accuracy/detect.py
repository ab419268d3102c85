"""Run a data set through an engine and collect what it finds."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue

import numpy as np
from tqdm import tqdm

from speedmap.dataset import images, letterbox
from speedmap.dataset.letterbox import Placement
from speedmap.engines.interface import Backend, Session
from speedmap.model import postprocess
from speedmap.results import records
from speedmap.results.cell import Cell
from speedmap.results.environment import Opened
from speedmap.results.inventory import Dataset, Image
from speedmap.results.protocols import AccuracyProtocol

Item = tuple[int, np.ndarray, Placement]  # an image's id, its input or the output, and where it lies in the input
AHEAD = 8  # images that wait decoded, and outputs that wait for their boxes


def detect(
    backend: Backend, cell: Cell, engine: Path, data: Dataset, imgsz: int, protocol: AccuracyProtocol
) -> tuple[list[dict], Opened]:
    """Detect in the whole data set; returns its COCO results, in the order of the images, and how the engine ran."""
    with ExitStack() as stack:
        sessions = [stack.enter_context(session) for session in backend.sessions(engine, cell)]
        dynamic = cell.shape == "dynamic"
        results = detect_images(sessions, data.images, imgsz, dynamic, protocol, data.category_ids)
        return results, records.convert(sessions[0].facts, Opened)


def detect_images(
    sessions: Sequence[Session], listed: list[Image], imgsz: int, dynamic: bool, protocol: AccuracyProtocol,
    categories: list[int],
) -> list[dict]:  # fmt: skip
    """Detect in every image; decoding and suppression run beside inference.

    sessions: of one engine; several infer side by side. categories: their ids in the annotations. Returns COCO results,
    in the order of the images.
    """
    free, limits = SimpleQueue(), (protocol.conf, protocol.iou, protocol.max_det)
    for session in sessions:
        free.put(session)

    def read(image: Image) -> Item:
        return image.id, *images.load(Path(image.file), imgsz, dynamic)

    def infer(item: Item) -> Item:
        image_id, batch, placement = item
        session = free.get()
        try:
            session.load(batch)
            session.run()
            return image_id, session.fetch()[0].copy(), placement
        finally:
            free.put(session)

    def write(item: Item) -> list[dict]:
        image_id, output, placement = item
        detections = postprocess.detect(postprocess.check(output, len(categories)), *limits)
        mapped = replace(detections, boxes=letterbox.to_image(detections.boxes, placement))
        return postprocess.to_coco(mapped, image_id, categories)

    pools = ThreadPoolExecutor(2), ThreadPoolExecutor(len(sessions)), ThreadPoolExecutor(2)
    with pools[0] as readers, pools[1] as runners, pools[2] as writers:
        read_ahead = ahead(readers, read, listed)
        inputs = tqdm(read_ahead, "detecting", len(listed), unit="image", disable=None, leave=False)
        # one session stays in the thread that opened it, whose CUDA context is its own
        outputs = ahead(runners, infer, inputs) if len(sessions) > 1 else map(infer, inputs)
        return [entry for entries in ahead(writers, write, outputs) for entry in entries]


def ahead(pool: Executor, function: Callable, items: Iterable) -> Iterator:
    """Map in order with at most AHEAD results waiting, so that memory stays bounded whatever the number of items."""
    waiting = deque()
    for item in items:
        waiting.append(pool.submit(function, item))
        if len(waiting) > AHEAD:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
