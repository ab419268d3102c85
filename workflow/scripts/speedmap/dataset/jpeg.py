"""Whether a JPEG is whole: OpenCV fills up what is missing and says nothing."""

import re

import cv2
import numpy as np

END, SCAN = 0xD9, 0xDA
ALONE = {0x01, *range(0xD0, 0xDA)}  # markers without a length
FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # begin the description of the picture
COEFFICIENTS = 64  # of a block
MORE = b"\x5a\xa5" * 64  # is read as more of the picture where that has not ended


def truncated(data: bytes) -> bool:
    """Return whether a file is a JPEG whose main image, not a thumbnail within, has lost its end.

    The mark of the end may be missing alone: then no scan is missing, and more data behind would change no pixel.
    """
    if not data.startswith(b"\xff\xd8"):
        return False
    segments = _segments(data)
    if segments and segments[-1][0] == END:
        return False
    return not _has_all_scans(segments) or not _is_full(data)


def _segments(data: bytes) -> list[tuple[int, bytes]]:
    """List the markers of the main image and what they say, as far as the file goes; pixels are passed over."""
    segments, place = [], 2
    while 0 <= (place := data.find(b"\xff", place)) < len(data) - 1:
        marker = data[place + 1]
        if marker in (0x00, 0xFF) or 0xD0 <= marker <= 0xD7:  # a pixel's byte, filling, a restart
            place += 1 if marker == 0xFF else 2
            continue
        length = 0 if marker in ALONE else int.from_bytes(data[place + 2 : place + 4], "big")
        segments.append((marker, data[place + 4 : place + 2 + length]))
        if marker == END:
            break
        place += 2 + length
    return segments


def _has_all_scans(segments: list[tuple[int, bytes]]) -> bool:
    """Return whether the scans that have begun give every coefficient down to its lowest bit."""
    frame = next((content for marker, content in segments if marker in FRAMES), None)
    scans = [content for marker, content in segments if marker == SCAN and len(content) > 3]
    if frame is None:
        return False
    left = {(component, number) for component in frame[6::3] for number in range(COEFFICIENTS)}
    for scan in scans:
        first, last, bits = scan[-3:]
        if not bits & 15:
            left -= {(component, number) for component in scan[1:-3:2] for number in range(first, last + 1)}
    return not left


def _is_full(data: bytes) -> bool:
    """Return whether the last scan is whole: then what stands behind it changes nothing."""
    body = re.sub(rb"\0{16,}$", b"", data).removesuffix(b"\xff")  # a download that had reserved its size; half a mark
    pictures = [_decoded(body + more + b"\xff\xd9") for more in (b"", MORE)]
    return pictures[0] is not None and np.array_equal(*pictures)


def _decoded(data: bytes) -> np.ndarray | None:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
