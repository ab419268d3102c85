"""Image files to network inputs."""

import os
from pathlib import Path

os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"] = str(LARGEST := 2**26)  # before OpenCV is loaded: it reads it only once

import cv2
import numpy as np

from speedmap import storage
from speedmap.dataset.letterbox import Placement, place
from speedmap.errors import UserError

UNREADABLE = (f"or one of more than {LARGEST / 1e6:.0f} megapixels; replace the file, or take it out, and out of the "
              "annotations")  # fmt: skip
FILL = 114  # grey of the padding, as in training


class ImageError(UserError):
    """An image file that cannot be read; the message names it."""


def read(path: Path) -> np.ndarray:
    """Decode an image file to [h, w, 3] uint8, blue first, turned as its EXIF data says."""
    try:  # decoded from memory, since OpenCV opens no name in another coding
        data = storage.named(path).read_bytes()
    except OSError as error:
        raise ImageError(f"{path}: no readable image ({error.strerror}); put it back, or correct the path") from error
    return decode(data, path)


def decode(data: bytes, path: Path) -> np.ndarray:
    """Decode what was read from an image file, as `read` does."""
    try:  # behind a JPEG's end, another changes nothing; without any, OpenCV decodes nothing from memory
        ended = data + b"\xff\xd9" if data.startswith(b"\xff\xd8") else data
        image = cv2.imdecode(np.frombuffer(ended, np.uint8), cv2.IMREAD_COLOR) if data else None
    except cv2.error:  # too large
        image = None
    if image is None:
        what = storage.pretender(storage.named(path))
        raise ImageError(f"{path}: no readable image, {f'but {what}' if what else UNREADABLE}")
    return image


def letterbox(image: np.ndarray, placement: Placement) -> np.ndarray:
    """Resize (area when shrinking, linear when growing) and pad an image to the network's [1, 3, h, w] in 0..1."""
    height, width = placement.resized
    if (height, width) != image.shape[:2]:
        shrinks = max(height, width) < max(image.shape[:2])
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    canvas = np.full((*placement.shape, 3), FILL, np.uint8)
    top, left = placement.offset
    canvas[top : top + height, left : left + width] = image
    return cv2.dnn.blobFromImage(canvas, 1 / 255, swapRB=True)


def load(path: Path, imgsz: int, dynamic: bool) -> tuple[np.ndarray, Placement]:
    """Read an image file into a network input and say where the image lies in it."""
    image = read(path)
    placement = place(*image.shape[:2], imgsz, dynamic)
    return letterbox(image, placement), placement
