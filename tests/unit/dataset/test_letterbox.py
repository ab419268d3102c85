import numpy as np
import pytest

from speedmap.dataset.letterbox import place, to_image


@pytest.mark.parametrize(
    ("height", "width", "shape"),
    [
        (480, 640, (480, 640)),
        (427, 640, (448, 640)),
        (640, 428, (640, 448)),
        (100, 640, (128, 640)),
        (375, 500, (480, 640)),
        (318, 424, (480, 640)),
        (147, 294, (320, 640)),
    ],
)
def test_dynamic_input_is_the_least_multiple_of_32_that_holds_the_image(height, width, shape):
    placement = place(height, width, 640, dynamic=True)
    assert placement.shape == shape
    assert max(placement.resized) == 640
    assert all(0 <= gap < 32 for gap in np.subtract(placement.shape, placement.resized))


def test_static_input_is_square_and_the_image_centred():
    placement = place(427, 640, 640, dynamic=False)
    assert placement.shape == (640, 640)
    assert placement.offset == (106, 0)


@pytest.mark.parametrize("dynamic", [True, False])
def test_boxes_come_back_to_where_they_were(dynamic):
    placement = place(375, 500, 640, dynamic)
    box = np.array([[10.0, 20.0, 300.0, 350.0]], np.float32)
    scale = 640 / 500
    top, left = ((side - size) / 2 for side, size in zip(placement.shape, placement.resized, strict=True))
    seen = box * scale + np.array([left, top, left, top], np.float32)
    assert to_image(seen, placement) == pytest.approx(box, abs=1e-3)


def test_boxes_are_cut_off_at_the_border():
    placement = place(640, 640, 640, dynamic=False)
    assert to_image(np.array([[-5.0, 10.0, 700.0, 800.0]]), placement).tolist() == [[0, 10, 640, 640]]
