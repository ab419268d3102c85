"""Draw the sample data set: shapes on textured backgrounds, in COCO's format.

`python sample/generate.py` rewrites sample/images, sample/instances.json and sample/calibration. An image follows
from its number alone, so the evaluation, calibration and training images are disjoint by their numbers.
"""

import argparse
import json
from pathlib import Path

import cv2
import numpy as np

from shapes import NAMES, SHAPES

SEED = 5
EVALUATION = range(1, 129)
CALIBRATION = range(1001, 1065)
QUALITY = 66  # of the JPEGs: about 20 KB each, so that a clone stays small
FINE = 4  # samples a pixel and axis behind a shape's soft edge
LEAST_VISIBLE = 0.6  # share of a shape that no later shape covers
LEAST_INSIDE = 0.75  # share of a shape's box that the image's border leaves
RADII = (12.5, 150)  # pixels: boxes from about 24 to 300
TURN = np.pi / 12  # a shape is turned by at most so much
LEAST_CONTRAST = 110  # distance of a shape's colour from the mean of its ground, of 442 between black and white

# Width, height and how often: the mix of COCO, in small.
SIZES = {(640, 480): 8, (480, 640): 4, (640, 426): 5, (426, 640): 2, (640, 360): 3, (360, 640): 1, (500, 375): 2,
         (375, 500): 1, (640, 640): 2, (512, 512): 1, (640, 512): 1, (480, 360): 1}  # fmt: skip

Array = np.ndarray


def noise(rng: np.random.Generator, height: int, width: int, octaves: tuple[int, ...]) -> Array:
    """Return smooth noise [height, width] in about -1..1: grids of random values, the finer the fainter."""
    field = np.zeros((height, width), np.float32)
    for index, cells in enumerate(octaves):
        grid = rng.uniform(-1, 1, (cells, cells)).astype(np.float32)
        field += cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC) / 1.7**index
    return field


def waves(rng: np.random.Generator, height: int, width: int) -> Array:
    """Return stripes [height, width] in -1..1, of any direction, 12 to 120 pixels a period."""
    angle, period = rng.uniform(0, np.pi), rng.uniform(12, 120)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return np.sin((x * np.cos(angle) + y * np.sin(angle)) * (2 * np.pi / period) + rng.uniform(0, 6))


def background(rng: np.random.Generator, height: int, width: int) -> Array:
    """Return an image [height, width, 3], float32 in 0..255: colours that flow, often stripes, some lines."""
    image = np.empty((height, width, 3), np.float32)
    image[:] = rng.uniform(30, 225, 3)
    for octaves in ((2, 4), (3, 6, 12, 24)):
        image += noise(rng, height, width, octaves)[..., None] * rng.uniform(-30, 30, 3).astype(np.float32)
    if rng.random() < 0.4:
        image += waves(rng, height, width)[..., None] * rng.uniform(-15, 15, 3).astype(np.float32)
    for _ in range(rng.integers(0, 3)):
        ends = rng.uniform(0, 1, (3, 2)) * (width, height)
        cv2.polylines(image, [ends.astype(np.int32)], False, rng.uniform(0, 255, 3).tolist(), int(rng.integers(1, 4)))
    return image.clip(0, 255)


def contours(rng: np.random.Generator, name: str, radius: float) -> list[Array]:
    """Return the outline [n, 2] of a shape, in pixels round its centre, and of its hole where it has one."""
    outline = SHAPES[name] * rng.uniform((0.85, 0.85), (1, 1)) * radius
    angle = rng.uniform(-TURN, TURN)
    cos, sin = np.cos(angle), np.sin(angle)
    outline = outline @ np.array([(cos, sin), (-sin, cos)])
    return [outline, outline * rng.uniform(0.5, 0.65)] if name == "ring" else [outline]


def coverage(rings: list[Array], width: int, height: int) -> Array:
    """Return how much of each pixel [height, width] the rings hold, 0..1."""
    fine = np.zeros((height * FINE, width * FINE), np.uint8)
    cv2.fillPoly(fine, [np.rint(ring * FINE - 0.5).astype(np.int32) for ring in rings], 255)
    return cv2.resize(fine, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32) / 255


def paint(rng: np.random.Generator, patch: Array, alpha: Array) -> None:
    """Blend a colour into `patch` [h, w, 3] in place, one that differs clearly from the ground's."""
    colours = rng.uniform(0, 255, (16, 3))
    distances = np.linalg.norm(colours - patch.reshape(-1, 3).mean(0), axis=1)
    colour = colours[np.argmax(distances >= LEAST_CONTRAST)]  # the first of them
    shade = 1 + rng.uniform(-0.15, 0.15) * np.linspace(-1, 1, patch.shape[1], dtype=np.float32)[None, :, None]
    patch += alpha[..., None] * (colour.astype(np.float32) * shade - patch)


def clipped(low: Array, high: Array, size: tuple[int, int]) -> Array | None:
    """Return the box [4] inside the image, or None when too little of it is."""
    box = np.concatenate((low.clip(0, size), high.clip(0, size)))
    inside = np.prod(box[2:] - box[:2]) / np.prod(high - low)
    return box if inside >= LEAST_INSIDE and min(box[2:] - box[:2]) >= 6 else None


def finish(rng: np.random.Generator, image: Array) -> Array:
    """Return the image as a camera gives it: sometimes blurred, always a little grainy."""
    if rng.random() < 0.35:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.5, 1.6))
    image = image + rng.normal(0, rng.uniform(0.5, 4), image.shape[:2]).astype(np.float32)[..., None]
    return image.clip(0, 255).astype(np.uint8)


def place(rng: np.random.Generator, size: tuple[int, int]) -> tuple[int, list[Array], Array | None]:
    """Choose a shape: its class, its rings in image pixels, and its box [4], None where too little is inside."""
    kind = int(rng.integers(len(NAMES)))
    radius = np.exp(rng.uniform(np.log(RADII[0]), np.log(min(RADII[1], 0.45 * min(size)))))
    centre = rng.uniform((0, 0), size)
    rings = [ring + centre for ring in contours(rng, NAMES[kind], radius)]
    return kind, rings, clipped(rings[0].min(0), rings[0].max(0), size)


def draw(rng: np.random.Generator, size: tuple[int, int], shapes: int) -> tuple[Array, Array, Array]:
    """Draw one image of (width, height): uint8 [h, w, 3] BGR, boxes [n, 4] (x1, y1, x2, y2 in pixels), classes [n].

    Later shapes cover earlier ones, but none too much of one. A box is that of the whole shape as far as the image
    reaches.
    """
    width, height = size
    image, owner = background(rng, height, width), np.zeros((height, width), np.uint8)  # shapes count from 1
    boxes, classes, areas, seen = [], [], np.zeros(1), np.zeros(1)
    for _ in range(3 * shapes):
        kind, rings, box = place(rng, size)
        if box is None:
            continue
        left, top = np.floor(box[:2]).astype(int)
        right, bottom = np.ceil(box[2:]).astype(int)
        alpha = coverage([ring - (left, top) for ring in rings], right - left, bottom - top)
        window, new = owner[top:bottom, left:right], alpha > 0.5
        left_over = seen - np.bincount(window[new], minlength=len(seen))
        if (left_over < LEAST_VISIBLE * areas)[1:].any():
            continue
        paint(rng, image[top:bottom, left:right], alpha)
        boxes.append(box)
        classes.append(kind)
        window[new] = len(boxes)
        areas, seen = np.append(areas, new.sum()), np.append(left_over, new.sum())
        if len(boxes) == shapes:
            break
    return finish(rng, image), np.reshape(boxes, (-1, 4)), np.array(classes, np.int64)


def numbered(number: int) -> tuple[bytes, Array, Array]:
    """Draw the image of a number: the bytes of its JPEG, its boxes [n, 4] and classes [n]."""
    rng, often = np.random.default_rng((SEED, number)), np.array(list(SIZES.values()))
    size = list(SIZES)[rng.choice(len(SIZES), p=often / often.sum())]
    image, boxes, classes = draw(rng, size, int(rng.integers(1, 13)))
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes(), boxes, classes


def write(folder: Path, numbers: range) -> tuple[list[dict], list[dict]]:
    """Write the images of some numbers to an emptied folder; return COCO's `images` and `annotations` for them."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.jpg"):
        old.unlink()
    images, annotations = [], []
    for number in numbers:
        jpeg, boxes, classes = numbered(number)
        (folder / f"{number:06}.jpg").write_bytes(jpeg)
        height, width = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR).shape[:2]
        images.append({"id": number, "file_name": f"{number:06}.jpg", "width": width, "height": height})
        for (x1, y1, x2, y2), kind in zip(boxes.tolist(), classes.tolist(), strict=True):
            annotations.append({"id": len(annotations) + 1, "image_id": number, "category_id": kind + 1, "iscrowd": 0,
                                "bbox": [round(value, 2) for value in (x1, y1, x2 - x1, y2 - y1)],
                                "area": round((x2 - x1) * (y2 - y1), 2)})  # fmt: skip
    return images, annotations


def main(folder: Path) -> None:
    images, annotations = write(folder / "images", EVALUATION)
    write(folder / "calibration", CALIBRATION)
    info = {"description": f"Drawn shapes, made by speedmap's sample/generate.py with seed {SEED}", "version": "1.0"}
    categories = [{"id": index + 1, "name": name, "supercategory": "shape"} for index, name in enumerate(NAMES)]
    licences = [{"id": 1, "name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"}]
    content = {"info": info, "licenses": licences, "categories": categories, "images": images}
    content["annotations"] = annotations
    (folder / "instances.json").write_text(json.dumps(content, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path(__file__).parent, help="write here (default: %(default)s)")
    main(parser.parse_args().folder)
