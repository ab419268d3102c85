"""Keys that COCO instances JSON lacks and that follow from others, and Roboflow's category that is none."""

from collections import Counter
from itertools import count
from typing import Any

from msgspec import UNSET
from pycocotools import mask

from speedmap.dataset.instances import Annotation, Category, Instances

NO_GROUP = (None, "", "none", "None")


def add(content: Instances) -> list[str]:
    """Complete annotations and categories in place; returns what was derived or left out, in words.

    Raises ValueError, naming the entry, for a key that follows from nothing.
    """
    done = Counter(line for annotation in content.annotations for line in _complete(annotation))
    said = [f"{what} (of {times} annotations)" for what, times in done.items()]
    _number(content.annotations)
    for category in content.categories:
        category.name = _name(category)
    if (group := placeholder(content)) is not None:
        content.categories.remove(group)
        said.append(f"category {group.id!r} {group.name!r} left out: it groups the others, and has no boxes")
    return said


def placeholder(content: Instances) -> Category | None:
    """Return the category that is the supercategory of all others and has no annotations, as Roboflow exports one."""
    used = {str(annotation.category_id) for annotation in content.annotations}
    for category in content.categories:
        others = {other.supercategory for other in content.categories if other is not category}
        own = category.supercategory
        if others == {category.name} and str(category.id) not in used and own in (*NO_GROUP, category.name):
            return category
    return None


def _complete(annotation: Annotation) -> list[str]:
    said = []
    if not annotation.bbox:
        annotation.bbox = _enclosing(annotation)
        said.append("bbox from the segmentation")
    if annotation.area is None:
        annotation.area = _area(annotation.bbox)
        said.append("area from width and height")
    if annotation.iscrowd is None:
        annotation.iscrowd = 0
        said.append("iscrowd 0")
    return said


def _area(box: Any) -> float:
    """Multiply width by height; 0 of what is no box, which the checks name."""
    try:
        _left, _top, width, height = box
        return width * height
    except (TypeError, ValueError):
        return 0


def _enclosing(annotation: Annotation) -> list[float]:
    """Return the box around a segmentation, polygons or run lengths."""
    shape = annotation.segmentation
    try:
        if isinstance(shape, dict):
            packed = isinstance(shape["counts"], str)
            return [float(side) for side in mask.toBbox(shape if packed else mask.frPyObjects(shape, *shape["size"]))]
        points = [number for polygon in shape for number in polygon]
        left, top = min(points[0::2]), min(points[1::2])
        return [left, top, max(points[0::2]) - left, max(points[1::2]) - top]
    except (TypeError, ValueError, KeyError, IndexError) as error:
        image = None if annotation.image_id is UNSET else annotation.image_id
        name = f"annotation {annotation.id!r} (of image {image!r})"
        raise ValueError(f"{name} has no bbox, and no segmentation that it could be derived from; "
                         "add x, y, width and height in pixels") from error  # fmt: skip


def _number(annotations: list[Annotation]) -> None:
    """Give ids to those that have none."""
    taken = {one.id for one in annotations}
    free = (number for number in count(1) if number not in taken and str(number) not in taken)
    texts = any(isinstance(one, str) for one in taken)
    for annotation in annotations:
        if annotation.id is None:
            annotation.id = str(next(free)) if texts else next(free)


def _name(category: Category) -> str:
    name = category.name
    if name is None or not str(name).strip() or isinstance(name, list | dict):
        raise ValueError(f"category {category.id!r} has the name {name!r}; give it the name that the model has")
    return str(name)
