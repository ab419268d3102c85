"""Whether boxes are what COCO has: x, y, width and height in pixels of their images."""

from speedmap.dataset.instances import Annotation

SLACK = 2  # pixels that a box may reach beyond its image: of COCO val2017's none does
Sized = tuple[Annotation, int, int]


def complaint(boxes: list[Sized]) -> str | None:
    """Name what boxes are that are none of COCO's, and what to do about it; None for sound ones.

    boxes: annotations with the width and height of their images, as read.
    """
    if not boxes:
        return None
    if all(max(one.bbox[2:]) <= 1 for one, _width, _height in boxes):
        return ("no box is wider or higher than one pixel: these are fractions of the image; multiply x and width by "
                "the image's width, y and height by its height")  # fmt: skip
    if all(_has_area_of_corners(one) and _may_be_corners(one, *size) for one, *size in boxes):
        return "the areas are those of corners x1, y1, x2, y2; give x, y, width and height: x2 - x1 and y2 - y1"
    beyond = sum(_reaches_beyond(*box) for box in boxes)
    share, said = beyond / len(boxes), f"{beyond} of {len(boxes)} boxes reach beyond their image"
    if share >= 0.1 and all(_may_be_corners(*box) for box in boxes):
        return f"{said}, as corners x1, y1, x2, y2 do; give x, y, width and height: x2 - x1 and y2 - y1"
    if share >= 0.05 and len(boxes) >= 4 and all(_may_be_centred(one.bbox) for one, *_size in boxes):
        return f"{said}, as centre x, centre y, width, height do; give the left and upper edge instead"
    if share > 0.5:
        return f"{said}; give x, y, width and height in pixels of the image files as they are"
    outside = (_outside(*box) for box in boxes)
    return next(filter(None, outside), None)


def _reaches_beyond(annotation: Annotation, width: int, height: int) -> bool:
    x, y, w, h = annotation.bbox
    return x + w > width + SLACK or y + h > height + SLACK


def _may_be_corners(annotation: Annotation, width: int, height: int) -> bool:
    left, top, right, bottom = annotation.bbox
    return left <= right <= width + SLACK and top <= bottom <= height + SLACK


def _has_area_of_corners(annotation: Annotation) -> bool:
    """Return whether an area is that between corners, and not that of a width and a height."""
    (left, top, right, bottom), area = annotation.bbox, annotation.area
    between = (right - left) * (bottom - top)
    return abs(area - between) <= 0.01 * between + 1e-6 < abs(area - right * bottom)


def _may_be_centred(box: list[float]) -> bool:
    x, y, width, height = box
    return x >= width / 2 - 1 and y >= height / 2 - 1


def _outside(annotation: Annotation, width: int, height: int) -> str | None:
    x, y, w, h = annotation.bbox
    if x + w >= 0 and y + h >= 0 and x <= width and y <= height:
        return None
    return (f"annotation {annotation.id!r} has the box {annotation.bbox}, which lies outside of its image of "
            f"{width}x{height} (width x height); correct it, or take it out")  # fmt: skip
