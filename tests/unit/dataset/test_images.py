import cv2
import numpy as np
import pytest

from speedmap.dataset import images
from speedmap.dataset.letterbox import place


def test_padding_is_grey_114_and_colours_are_red_first():
    image = np.zeros((320, 640, 3), np.uint8)
    image[..., 2] = 255  # red in the file's order of blue, green, red
    batch = images.letterbox(image, place(320, 640, 640, dynamic=False))
    assert batch.shape == (1, 3, 640, 640)
    assert batch.dtype == np.float32
    assert batch[0, :, 0, 0] == pytest.approx(114 / 255)
    assert batch[0, :, 320, 320].tolist() == [1, 0, 0]


def test_an_unreadable_image_is_named(tmp_path):
    path = tmp_path / "empty.jpg"
    path.write_bytes(b"")
    with pytest.raises(images.ImageError, match=r"empty\.jpg: no readable image"):
        images.read(path)


def test_load_places_as_it_letterboxes(tmp_path):
    path = tmp_path / "image.png"
    cv2.imwrite(str(path), np.full((100, 200, 3), 7, np.uint8))
    batch, placement = images.load(path, 64, dynamic=True)
    assert batch.shape[2:] == placement.shape == (32, 64)
