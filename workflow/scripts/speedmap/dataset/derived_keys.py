"""Keys that COCO instances JSON lacks and that follow from others, and Roboflow's category that is none."""

from collections import Counter
from itertools import count

from pycocotools import mask

NO_GROUP = (None, "", "none", "None")


def add(content: dict) -> list[str]:
    """Complete annotations and categories in place; returns what was derived or left out, in words.

    Raises ValueError, naming the entry, for a key that follows from nothing.
    """
    done = Counter(line for annotation in content["annotations"] for line in _complete(annotation))
    said = [f"{what} (of {times} annotations)" for what, times in done.items()]
    _number([one for one in content["annotations"] if one.get("id") is None], content["annotations"])
    for category in content["categories"]:
        category["name"] = _name(category)
    if (group := placeholder(content)) is not None:
        content["categories"].remove(group)
        said.append(f"category {group['id']!r} {group['name']!r} left out: it groups the others, and has no boxes")
    return said


def placeholder(content: dict) -> dict | None:
    """Return the category that is the supercategory of all others and has no annotations, as Roboflow exports one."""
    used = {str(annotation.get("category_id")) for annotation in content["annotations"]}
    for category in content["categories"]:
        others = {other.get("supercategory") for other in content["categories"] if other is not category}
        own = category.get("supercategory")
        if others == {category["name"]} and str(category["id"]) not in used and own in (*NO_GROUP, category["name"]):
            return category
    return None


def _complete(annotation: dict) -> list[str]:
    said = []
    if not annotation.get("bbox"):
        annotation["bbox"] = _enclosing(annotation)
        said.append("bbox from the segmentation")
    if annotation.get("area") is None and isinstance(annotation["bbox"], list) and len(annotation["bbox"]) == 4:
        try:
            annotation["area"] = annotation["bbox"][2] * annotation["bbox"][3]
        except TypeError:  # texts, which the checks name
            annotation["area"] = 0
        said.append("area from width and height")
    if annotation.get("iscrowd") is None:
        annotation["iscrowd"] = 0
        said.append("iscrowd 0")
    annotation.setdefault("area", 0)  # of a box that the checks name
    return said


def _enclosing(annotation: dict) -> list[float]:
    """Return the box around a segmentation, polygons or run lengths."""
    shape = annotation.get("segmentation")
    try:
        if isinstance(shape, dict):
            packed = isinstance(shape["counts"], str)
            return [float(side) for side in mask.toBbox(shape if packed else mask.frPyObjects(shape, *shape["size"]))]
        points = [number for polygon in shape for number in polygon]
        left, top = min(points[0::2]), min(points[1::2])
        return [left, top, max(points[0::2]) - left, max(points[1::2]) - top]
    except (TypeError, ValueError, KeyError, IndexError) as error:
        name = f"annotation {annotation.get('id')!r} (of image {annotation.get('image_id')!r})"
        raise ValueError(f"{name} has no bbox, and no segmentation that it could be derived from; "
                         "add x, y, width and height in pixels") from error  # fmt: skip


def _number(nameless: list[dict], every: list[dict]) -> None:
    taken = {one.get("id") for one in every}
    free = (number for number in count(1) if number not in taken and str(number) not in taken)
    texts = any(isinstance(one, str) for one in taken)
    for annotation, number in zip(nameless, free, strict=False):
        annotation["id"] = str(number) if texts else number


def _name(category: dict) -> str:
    name = category.get("name")
    if name is None or not str(name).strip() or isinstance(name, list | dict):
        raise ValueError(f"category {category['id']!r} has the name {name!r}; give it the name that the model has")
    return str(name)
