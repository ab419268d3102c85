"""Where an image lies in its network input, and boxes there and back."""

from dataclasses import dataclass

import numpy as np

STRIDE = 32  # of the coarsest features: inputs are multiples of it


@dataclass(frozen=True)
class Placement:
    """An image in its network input; all pairs are (height, width) in pixels.

    original: of the image file. resized: of the image in the input. shape: of the input. offset: top and left padding.
    """

    original: tuple[int, int]
    resized: tuple[int, int]
    shape: tuple[int, int]

    @property
    def offset(self) -> tuple[int, int]:
        return (self.shape[0] - self.resized[0]) // 2, (self.shape[1] - self.resized[1]) // 2


def pixels(shape: str) -> int:
    """Count the pixels of an input shape such as 480x640."""
    height, width = map(int, shape.split("x"))
    return height * width


def place(height: int, width: int, imgsz: int, dynamic: bool) -> Placement:
    """Fit an image into a network input whose long side is `imgsz`.

    Static: imgsz x imgsz. Dynamic: the short side is the least multiple of 32 that holds the image.
    """
    longest = max(height, width)
    resized = _ceil(height * imgsz, longest), _ceil(width * imgsz, longest)
    shape = tuple(STRIDE * _ceil(side, STRIDE) for side in resized) if dynamic else (imgsz, imgsz)
    return Placement((height, width), resized, shape)


def _ceil(number: int, divisor: int) -> int:
    """Divide and round up, exactly: in floats 318 x 424 pixels would become 481 x 640."""
    return -(-number // divisor)


def to_image(boxes: np.ndarray, placement: Placement) -> np.ndarray:
    """Map boxes [n, 4] (x1, y1, x2, y2) from input to image pixels, cut off at the image's border.

    Half of an odd padding counts as such, though whole pixels were padded: so does YOLOv5's own evaluation (0.14 mAP).
    """
    (height, width), resized, shape = placement.original, placement.resized, placement.shape
    padding = np.array(((shape[1] - resized[1]) / 2, (shape[0] - resized[0]) / 2) * 2, np.float32)
    scale = np.array((width / resized[1], height / resized[0]) * 2, np.float32)
    return ((boxes - padding) * scale).clip(0, np.array((width, height) * 2, np.float32))
