"""JPEGs that have lost their end, whatever else they hold."""

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from speedmap.dataset import images, jpeg


def photo(*options, grey=False):
    random = np.random.default_rng(0)
    small = random.integers(0, 255, (12, 16) if grey else (12, 16, 3), np.uint8)
    return cv2.imencode(".jpg", cv2.resize(small, (320, 240)), list(options))[1].tobytes()


def with_exif(data, orientation=1, thumbnail=b""):
    """Put EXIF before the picture: how it is turned, and a small one, which has marks of its own."""
    entries = struct.pack(">HHHIHH", 1, 0x0112, 3, 1, orientation, 0) + struct.pack(">I", 0)
    content = b"Exif\0\0MM\0*" + struct.pack(">I", 8) + entries + thumbnail
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(content) + 2) + content + data[2:]


PATH = Path("photo.jpg")
WHITE = np.vstack((images.decode(photo(), PATH)[:120], np.full((120, 320, 3), 255, np.uint8)))
PHOTOS = {
    "plain": photo(),
    "grey": photo(grey=True),
    "progressive": photo(cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    "restarts": photo(cv2.IMWRITE_JPEG_RST_INTERVAL, 7),
    "thumbnail": with_exif(photo(), thumbnail=photo(cv2.IMWRITE_JPEG_QUALITY, 20)),
    **{f"turned {side}": with_exif(photo(), side) for side in range(2, 9)},
    "turned, progressive": with_exif(photo(cv2.IMWRITE_JPEG_PROGRESSIVE, 1), 6, photo(cv2.IMWRITE_JPEG_QUALITY, 20)),
    "white below": cv2.imencode(".jpg", WHITE)[1].tobytes(),
}


@pytest.mark.parametrize("name", PHOTOS)
def test_a_whole_photo_is_whole_with_what_may_stand_behind_it_or_without_its_mark(name):
    data = PHOTOS[name]
    for whole in (data, data + b"\0 trailing", data + photo(), data[:-2], data[:-1]):
        assert not jpeg.truncated(whole)
        assert images.decode(whole, PATH).size == 320 * 240 * 3


@pytest.mark.parametrize("name", PHOTOS)
@pytest.mark.parametrize("share", [0.3, 0.5, 0.75, 0.9, 0.98])
def test_a_photo_without_its_end_is_told(name, share):
    data = PHOTOS[name]
    start = data.rfind(b"\xff\xda") if "progressive" not in name else data.find(b"\xff\xc2")
    cut = data[: start + int(share * (len(data) - start))]
    if name == "white below":
        cut = data[: start + int(share / 2 * (len(data) - start))]
    assert jpeg.truncated(cut)
    assert jpeg.truncated(cut + bytes(500))  # its size was reserved


def test_other_formats_are_none_of_its_business():
    assert not jpeg.truncated(b"")
    assert not jpeg.truncated(b"\x89PNG")


@pytest.mark.parametrize("suffix", [".png", ".webp", ".bmp", ".tiff"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_half_a_file_of_another_format_is_unreadable(tmp_path, suffix, share):
    data = cv2.imencode(suffix, images.decode(photo(), PATH))[1].tobytes()
    half = tmp_path / "half"
    half.write_bytes(data[: int(share * len(data))])
    with pytest.raises(images.ImageError):
        images.read(half)
