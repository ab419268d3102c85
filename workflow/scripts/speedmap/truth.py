"""What COCO instances JSON must hold for a mAP to mean something."""

import math
from collections import Counter
from collections.abc import Iterable


def complaint(truth: dict) -> str | None:
    """Name the first thing that is wrong, and what to do about it; None when nothing is.

    Raises KeyError or TypeError where the structure itself is another one.
    """
    for kind, what in (("images", "image"), ("categories", "category"), ("annotations", "annotation")):
        if (twice := _twice(entry["id"] for entry in truth[kind])) is not None:
            return f"{what} id {twice!r} occurs twice; give each {what} its own"
    images, categories = {image["id"]: image for image in truth["images"]}, {one["id"] for one in truth["categories"]}
    found = (_complaint(annotation, images, categories) for annotation in truth["annotations"])
    return next(filter(None, found), None)


def _twice(ids: Iterable[object]) -> object:
    number, times = next(iter(Counter(ids).most_common(1)), (None, 1))
    return number if times > 1 else None


def _complaint(annotation: dict, images: dict[object, dict], categories: set) -> str | None:
    name, (x, y, width, height) = f"annotation {annotation['id']!r}", annotation["bbox"]
    if annotation["image_id"] not in images:
        return f"{name} is of image {annotation['image_id']!r}, which is not listed; take it out"
    if annotation["category_id"] not in categories:
        return f"{name} is of category {annotation['category_id']!r}, which is not listed; take it out, or add that"
    if annotation["area"] < 0 or annotation["iscrowd"] not in (0, 1):
        return f"{name} has the area {annotation['area']} and iscrowd {annotation['iscrowd']!r}; correct them"
    if not all(map(math.isfinite, (x, y, width, height, annotation["area"]))) or min(width, height) < 0:
        return f"{name} has the box {annotation['bbox']}; give x, y, width and height in pixels"
    if _outside(annotation["bbox"], images[annotation["image_id"]]):
        return f"{name} has the box {annotation['bbox']}, which lies outside of its image; correct it, or take it out"
    return None


def _outside(box: list[float], image: dict) -> bool:
    x, y, width, height = box
    return x + width < 0 or y + height < 0 or x > image.get("width", math.inf) or y > image.get("height", math.inf)
