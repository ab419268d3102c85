import cv2
import numpy as np
import pytest

from speedmap.dataset import images
from speedmap.dataset.letterbox import Placement, place


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


def letterboxed(channels, resized, shape):
    """Letterbox an image given as blue, green and red values; returns the input as red, green and blue of 0..255."""
    image = np.dstack([np.array(channel, np.uint8) for channel in channels])
    batch = images.letterbox(image, Placement(image.shape[:2], resized, shape))
    assert batch.dtype == np.float32
    return (255 * batch[0]).round(3).tolist()


def test_growing_interpolates_linearly_between_the_centres_of_pixels():
    blue = [[0, 160], [80, 240]]
    grown = [  # a quarter and three quarters of the way from one pixel's centre to the next, beyond the last its value
        [0, 40, 120, 160],
        [20, 60, 140, 180],
        [60, 100, 180, 220],
        [80, 120, 200, 240],
    ]
    red = [[16, 16], [16, 16]]
    assert letterboxed((blue, blue, red), (4, 4), (4, 4)) == [[[16] * 4] * 4, grown, grown]


def test_shrinking_averages_over_areas():
    one_in_nine = np.kron([[90, 180], [45, 225]], [[0, 0, 0], [0, 0, 0], [0, 0, 1]])
    thirds = np.kron([[30, 60, 90, 30, 60, 90]], np.ones((6, 1)))
    means = [[10, 20], [5, 25]]
    assert letterboxed((thirds, one_in_nine, one_in_nine), (2, 2), (2, 2)) == [means, means, [[60, 60]] * 2]
    # a pixel of the output holds one and a half of these: (30 + 60 / 2) / 1.5, (60 / 2 + 90) / 1.5
    assert letterboxed((thirds,) * 3, (4, 4), (4, 4))[0][0] == [40, 80, 40, 80]


def test_an_image_of_the_right_size_is_taken_as_it_is():
    chequered = (255 * (np.indices((32, 32)).sum(axis=0) % 2)).tolist()
    assert letterboxed((chequered,) * 3, (32, 32), (32, 32)) == [chequered] * 3


def test_odd_padding_has_its_larger_part_below_and_right():
    grey = 114
    expected = [
        [grey, grey, grey, grey, grey],
        [grey, 7, 8, grey, grey],
        [grey, grey, grey, grey, grey],
        [grey, grey, grey, grey, grey],
    ]
    assert letterboxed(([[7, 8]],) * 3, (1, 2), (4, 5)) == [expected] * 3


def test_an_image_that_is_gone_or_a_pointer_is_named_so(tmp_path):
    with pytest.raises(images.ImageError, match=r"gone\.jpg: no readable image \(No such file"):
        images.read(tmp_path / "gone.jpg")
    (tmp_path / "lfs.jpg").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(images.ImageError, match=r"lfs\.jpg: no readable image, but a git-lfs pointer"):
        images.read(tmp_path / "lfs.jpg")
