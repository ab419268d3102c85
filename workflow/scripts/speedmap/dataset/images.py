"""Image files to network inputs."""

import os
from pathlib import Path

os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"] = str(LARGEST := 2**26)  # before OpenCV is loaded: it reads it only once

import cv2
import numpy as np

from speedmap.dataset.letterbox import Placement, place
from speedmap.errors import UserError

ROWS = 8  # of a JPEG's block
FILL = 114  # grey of the padding, as in training


class ImageError(UserError):
    """An image file that cannot be read; the message names it."""


def read(path: Path) -> np.ndarray:
    """Decode an image file to [h, w, 3] uint8, blue first, turned as its EXIF data says."""
    try:
        image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    except cv2.error:  # too large
        image = None
    if image is None:
        raise ImageError(f"{path}: no readable image, or one of more than {LARGEST / 1e6:.0f} megapixels; replace the "
                         "file, or take it out, and out of the annotations")  # fmt: skip
    return image


def truncated(data: bytes, image: np.ndarray) -> bool:
    """Tell whether a file is a JPEG without its end, for which OpenCV has filled up the image read from it.

    The mark of the end may be missing alone: then there is a picture down to the last rows.
    """
    ends = not data.startswith(b"\xff\xd8") or b"\xff\xd9" in data[data.find(b"\xff\xda") :]
    return not ends and bool((image[-ROWS:] == image[-1, -1]).all())


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
