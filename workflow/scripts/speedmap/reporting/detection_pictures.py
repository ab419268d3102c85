"""The images in which FP16 and INT8 detect the most unlike objects, small, with both engines' boxes."""

import base64
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import msgspec
import numpy as np

from speedmap.dataset import images
from speedmap.errors import UserError
from speedmap.model.postprocess import overlaps
from speedmap.results.cell_result import CellResult
from speedmap.results.inventory import Dataset

MOST = 6  # pictures
CONF = 0.25  # from which on a detection is one that a user would see
OVERLAP = 0.5  # of two boxes of one class that are of one object
SIDE, QUALITY = 420, 70  # of the JPEGs: pixels of the long side, and how well they are kept


class Detection(msgspec.Struct, frozen=True):
    """A line of a COCO result file."""

    image_id: int | str
    category_id: int | str
    bbox: tuple[float, float, float, float]
    score: float


@dataclass(frozen=True)
class Box:
    """A detection in the picture's pixels. kind: `both`, `fp16` or `int8`, of the engines that have it."""

    kind: str
    told: str
    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True)
class Picture:
    """An image with the boxes of both engines. data: a JPEG in base64."""

    model: str
    file: str
    data: str
    width: int
    height: int
    boxes: list[Box]

    def of(self, kind: str) -> list[str]:
        """Name the detections of one kind."""
        return [box.told for box in self.boxes if box.kind == kind]


@dataclass(frozen=True)
class Unlike:
    """What two engines detect in one image. alone: what only one of them does, by its precision."""

    model: str
    image_id: int | str
    alone: dict[str, list[Detection]]
    both: list[Detection]

    @property
    def weight(self) -> float:
        """The sum of the scores of all that only one engine detects: the surer, the more unlike."""
        return sum(one.score for some in self.alone.values() for one in some)


def pictures(rows: list[CellResult], data: Dataset, root: Path = Path()) -> list[Picture]:
    """Draw at most MOST images, of the first input mode in which both precisions were scored.

    root: the folder that holds `results/`. Images that are gone since, and cells without a result file, are left out.
    """
    unlike = sorted(
        (one for pair in pairs(rows) for one in compared(*(_read(row, root) for row in pair), pair[0].cell.model)),
        key=lambda one: (-one.weight, one.model, str(one.image_id)),
    )
    files = {image.id: image.file for image in data.images}
    names = {category.id: category.name for category in data.categories}
    return _first([(one, files[one.image_id]) for one in unlike if one.weight and one.image_id in files], names)


def pairs(rows: list[CellResult]) -> list[tuple[CellResult, CellResult]]:
    """Return the scored FP16 and INT8 cells of each model in the first input mode that has any."""
    scored = {row.cell: row for row in rows if row.accuracy and not row.invalid}
    both = [
        (scored[other], row)
        for cell, row in scored.items()
        if cell.precision == "int8" and (other := replace(cell, precision="fp16")) in scored
    ]
    return [pair for pair in both if pair[0].cell.shape == both[0][0].cell.shape]


def _read(row: CellResult, root: Path) -> list[Detection]:
    path = root / row.cell.folder / "detections.json"
    every = msgspec.json.decode(path.read_bytes(), type=list[Detection]) if path.exists() else []
    return [one for one in every if one.score >= CONF]


def compared(first: list[Detection], second: list[Detection], model: str) -> Iterable[Unlike]:
    """Match the detections of two engines image by image; nothing where one of them has none at all."""
    if not first or not second:
        return
    ours, theirs = _by_image(first), _by_image(second)
    for image_id in ours | theirs:
        both, left, right = match(ours[image_id], theirs[image_id])
        yield Unlike(model, image_id, {"fp16": left, "int8": right}, both)


def _by_image(detections: list[Detection]) -> dict[int | str, list[Detection]]:
    by_image = defaultdict(list)
    for one in sorted(detections, key=lambda one: -one.score):
        by_image[one.image_id].append(one)
    return by_image


def match(first: list[Detection], second: list[Detection]) -> tuple[list[Detection], list[Detection], list[Detection]]:
    """Pair boxes of one class that overlap, the surest first; returns those of both, and what only either has."""
    both, alone, left = [], [], list(second)
    for one in first:
        fitting = [other for other in left if other.category_id == one.category_id]
        shares = overlaps(_corners([one]), _corners(fitting))[0] if fitting else np.zeros(1)
        if shares.max() < OVERLAP:
            alone.append(one)
        else:
            both.append(one)
            left.remove(fitting[int(shares.argmax())])
    return both, alone, left


def _corners(detections: list[Detection]) -> np.ndarray:
    boxes = np.array([one.bbox for one in detections], float)
    return np.hstack((boxes[:, :2], boxes[:, :2] + boxes[:, 2:]))


def _first(unlike: list[tuple[Unlike, str]], names: dict) -> list[Picture]:
    """Draw the first MOST whose image can still be read, each image once."""
    drawn = {}
    for one, file in unlike:
        if len(drawn) == MOST:
            break
        if file not in drawn and (picture := _picture(one, file, names)):
            drawn[file] = picture
    return list(drawn.values())


def _picture(unlike: Unlike, file: str, names: dict) -> Picture | None:
    try:
        image = images.read(Path(file))
    except UserError:
        return None
    scale = min(1.0, SIDE / max(image.shape[:2]))
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    data = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1]
    kinds = {"both": unlike.both, **unlike.alone}
    boxes = [_box(kind, one, names, scale) for kind, some in kinds.items() for one in some]
    height, width = small.shape[:2]
    return Picture(unlike.model, Path(file).name, base64.b64encode(data).decode(), width, height, boxes)


def _box(kind: str, one: Detection, names: dict, scale: float) -> Box:
    left, top, width, height = (round(scale * value, 1) for value in one.bbox)
    return Box(kind, f"{names.get(one.category_id, one.category_id)} {one.score:.2f}", left, top, width, height)
