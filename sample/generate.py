"""Draw the sample data set: shapes on textured backgrounds, in COCO's format.

`python sample/generate.py` rewrites sample/images, sample/instances.json and sample/calibration. An image follows
from its number alone, so the evaluation, calibration and training images are disjoint by their numbers.
"""

import argparse
import json
from pathlib import Path

import cv2
import numpy as np

SEED = 5
EVALUATION = range(1, 129)
CALIBRATION = range(1001, 1065)
QUALITY = 66  # of the JPEGs: about 20 KB each, so that a clone stays small
FINE = 4  # samples a pixel and axis behind a shape's soft edge
LEAST_VISIBLE = 0.5  # share of a shape that no later shape covers
LEAST_INSIDE = 0.4  # share of a shape's box that the image's border leaves

# Width, height and how often: the mix of COCO, in small.
SIZES = {(640, 480): 8, (480, 640): 4, (640, 426): 5, (426, 640): 2, (640, 360): 3, (360, 640): 1, (500, 375): 2,
         (375, 500): 1, (640, 640): 2, (512, 512): 1, (640, 512): 1, (480, 360): 1}  # fmt: skip

Array = np.ndarray


def arc(start: float, stop: float, points: int = 72, radius: float = 1.0, x: float = 0.0) -> Array:
    """Return points [n, 2] on a circle round (x, 0), between two angles in turns."""
    angles = 2 * np.pi * np.linspace(start, stop, points)
    return np.stack((x + radius * np.cos(angles), radius * np.sin(angles)), 1)


def regular(corners: int) -> Array:
    return arc(0, 1 - 1 / corners, corners)


def star() -> Array:
    return np.stack((regular(5), arc(0.1, 0.9, 5, 0.42)), 1).reshape(-1, 2)


def cross(arm: float = 0.3) -> Array:
    quarter = np.array([(1, -arm), (1, arm), (arm, arm)])
    turn = np.array([(0, 1), (-1, 0)])
    return np.concatenate([quarter @ np.linalg.matrix_power(turn, times) for times in range(4)])


def heart() -> Array:
    t = 2 * np.pi * np.linspace(0, 1, 72)
    y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return np.stack((16 * np.sin(t) ** 3, y), 1) / 17


def arrow() -> Array:
    return np.array([(1, 0), (0.1, 0.75), (0.1, 0.3), (-1, 0.3), (-1, -0.3), (0.1, -0.3), (0.1, -0.75)])


def moon() -> Array:
    """Return the unit disc without a disc of radius 0.8 round (0.5, 0); the two circles meet at x = 0.61."""
    outer = np.arccos(0.61) / (2 * np.pi)
    inner = np.arctan2(np.sqrt(1 - 0.61**2), 0.11) / (2 * np.pi)
    return np.concatenate((arc(outer, 1 - outer), arc(1 - inner, inner, radius=0.8, x=0.5)))


# Outlines of about unit radius; every turned or mirrored one is of the same class.
SHAPES = {
    "disc": arc(0, 1),
    "ring": arc(0, 1),
    "square": regular(4),
    "bar": regular(4) @ np.array([(1, 1), (-1, 1)]) * (0.95, 0.32),
    "triangle": regular(3),
    "hexagon": regular(6),
    "star": star(),
    "cross": cross(),
    "heart": heart(),
    "arrow": arrow(),
    "moon": moon(),
    "dome": arc(0, 0.5) - (0, 0.4),
}
NAMES = tuple(SHAPES)
HOLLOW = ("square", "bar", "triangle", "hexagon", "star", "cross")  # may also be drawn as a frame


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
    for octaves in ((2, 4), (3, 6, 12, 24), (5, 15, 45)):
        image += noise(rng, height, width, octaves)[..., None] * rng.uniform(-35, 35, 3).astype(np.float32)
    if rng.random() < 0.5:
        image += waves(rng, height, width)[..., None] * rng.uniform(-25, 25, 3).astype(np.float32)
    for _ in range(rng.integers(0, 7)):
        ends = rng.uniform(0, 1, (3, 2)) * (width, height)
        cv2.polylines(image, [ends.astype(np.int32)], False, rng.uniform(0, 255, 3).tolist(), int(rng.integers(1, 7)))
    return image.clip(0, 255)


def contours(rng: np.random.Generator, name: str, radius: float) -> list[Array]:
    """Return the outline [n, 2] of a shape, in pixels round its centre, and of its hole where it has one."""
    outline = SHAPES[name] * rng.uniform((0.85, 0.85), (1, 1)) * radius
    angle = rng.uniform(0, 2 * np.pi)
    cos, sin = np.cos(angle), np.sin(angle)
    outline = outline @ np.array([(cos, sin), (-sin, cos)])
    hollow = name == "ring" or (name in HOLLOW and rng.random() < 0.25)
    return [outline, outline * rng.uniform(0.45, 0.75)] if hollow else [outline]


def coverage(rings: list[Array], width: int, height: int) -> Array:
    """Return how much of each pixel [height, width] the rings hold, 0..1."""
    fine = np.zeros((height * FINE, width * FINE), np.uint8)
    cv2.fillPoly(fine, [np.rint(ring * FINE - 0.5).astype(np.int32) for ring in rings], 255)
    return cv2.resize(fine, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32) / 255


def paint(rng: np.random.Generator, patch: Array, alpha: Array) -> None:
    """Blend a colour into `patch` [h, w, 3] in place; it differs from the ground's by little or by much."""
    direction = rng.normal(size=3)
    ground = patch.reshape(-1, 3).mean(0)
    contrast = np.exp(rng.uniform(np.log(45), np.log(200)))
    colour = (ground + direction / np.linalg.norm(direction) * contrast).clip(0, 255)
    shade = 1 + rng.uniform(-0.2, 0.2) * np.linspace(-1, 1, patch.shape[1], dtype=np.float32)[None, :, None]
    alpha = alpha[..., None] * rng.uniform(0.8, 1)
    patch += alpha * (colour.astype(np.float32) * shade - patch)


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
    radius = np.exp(rng.uniform(np.log(10.5), np.log(min(200, 0.45 * min(size)))))
    centre = rng.uniform((0, 0), size)
    rings = [ring + centre for ring in contours(rng, NAMES[kind], radius)]
    return kind, rings, clipped(rings[0].min(0), rings[0].max(0), size)


def draw(rng: np.random.Generator, size: tuple[int, int], shapes: int) -> tuple[Array, Array, Array]:
    """Draw one image of (width, height): uint8 [h, w, 3] BGR, boxes [n, 4] (x1, y1, x2, y2 in pixels), classes [n].

    Later shapes cover earlier ones. A box is that of the whole shape as far as the image reaches; shapes that are
    mostly covered have none.
    """
    width, height = size
    image, owner = background(rng, height, width), np.full((height, width), -1)
    boxes, classes, areas = [], [], []
    for _ in range(shapes):
        kind, rings, box = place(rng, size)
        if box is None:
            continue
        left, top = np.floor(box[:2]).astype(int)
        right, bottom = np.ceil(box[2:]).astype(int)
        alpha = coverage([ring - (left, top) for ring in rings], right - left, bottom - top)
        paint(rng, image[top:bottom, left:right], alpha)
        owner[top:bottom, left:right][alpha > 0.5] = len(boxes)
        boxes.append(box)
        classes.append(kind)
        areas.append((alpha > 0.5).sum())
    visible = np.bincount(owner[owner >= 0], minlength=len(boxes)) / np.maximum(areas, 1)
    kept = visible >= LEAST_VISIBLE
    return finish(rng, image), np.reshape(boxes, (-1, 4))[kept], np.array(classes, np.int64)[kept]


def numbered(number: int) -> tuple[bytes, Array, Array]:
    """Draw the image of a number: the bytes of its JPEG, its boxes [n, 4] and classes [n]."""
    rng, often = np.random.default_rng((SEED, number)), np.array(list(SIZES.values()))
    size = list(SIZES)[rng.choice(len(SIZES), p=often / often.sum())]
    image, boxes, classes = draw(rng, size, min(15, 1 + int(rng.exponential(7))))
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
