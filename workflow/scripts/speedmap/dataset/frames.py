"""Images from wherever they come: a file, a folder, a video."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from speedmap.dataset.images import ImageError, cv2, read


def frames(source: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Yield a file name and the pixels [h, w, 3], blue first, of each image, or of each frame of a video.

    What is no image in a folder is passed over. ImageError for a source without any.
    """
    empty = True
    for name, image in _pictures(source) if source.is_dir() or cv2.haveImageReader(str(source)) else _video(source):
        yield name, image
        empty = False
    if empty:
        raise ImageError(f"{source}: no image, no folder of images and no video that OpenCV reads; correct the path")


def _pictures(source: Path) -> Iterator[tuple[str, np.ndarray]]:
    for path in sorted(source.iterdir()) if source.is_dir() else [source]:
        if cv2.haveImageReader(str(path)):
            yield path.name, read(path)


def _video(source: Path) -> Iterator[tuple[str, np.ndarray]]:
    video, number = cv2.VideoCapture(str(source)), 0
    while (frame := video.read())[0]:
        number += 1
        yield f"{source.stem}-{number:06}.jpg", frame[1]
