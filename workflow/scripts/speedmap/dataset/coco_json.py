"""COCO instances JSON: read, completed where a key follows from others, and checked, each fault named as what it is."""

import json
import math
import re
from collections import Counter
from pathlib import Path
from typing import Any

from msgspec import UNSET, convert

from speedmap import storage
from speedmap.dataset import derived_keys
from speedmap.dataset.instances import Annotation, Image, Instances
from speedmap.errors import UserError

LARGEST_JSON = 10**9  # bytes; COCO's train2017 has half of it
LISTS = {"images": "image", "categories": "category", "annotations": "annotation"}
CONVERT = "give COCO instances JSON (supervision makes it of VOC files, see the README), or YOLO data as dataset.data"
NUMBER = re.compile(r"\s*[+-]?[0-9]+\s*")


class DatasetError(UserError):
    """A data set that cannot be used; the message names the file or config key, the cause and the remedy."""


def parse(annotations: Path) -> Instances:
    """Read COCO instances JSON and check what it says; categories come in the order of their ids.

    Keys that follow from others are added.
    """
    content = _load(annotations)
    if wrong := _structure(content):
        raise DatasetError(f"{annotations}: no COCO instances JSON: {wrong}")
    instances = convert({key: content[key] for key in LISTS}, Instances)
    if wrong := _identity(instances):
        raise DatasetError(f"{annotations}: no COCO instances JSON: {wrong}")
    try:
        instances.derived = _told(content.get("derived")) + derived_keys.add(instances)
        wrong = complaint(instances)
    except ValueError as error:
        wrong = str(error)
    if wrong:
        raise DatasetError(f"{annotations}: {wrong}")
    instances.categories.sort(key=lambda category: order(category.id))
    return instances


def order(number: int | str) -> tuple[float, str]:
    """Return what sorts ids: as numbers, which text may be, before other texts."""
    is_number = not isinstance(number, str) or NUMBER.fullmatch(number)
    return (float(number) if is_number else math.inf, str(number))


def _load(path: Path) -> object:
    if path.is_dir():
        raise DatasetError(f"{path}: is a folder; {CONVERT} as dataset.annotations")
    if not path.is_file():
        raise DatasetError(f"{path}: no such file; check dataset.annotations in the config")
    if (size := path.stat().st_size) > LARGEST_JSON:
        raise DatasetError(f"{path}: has {size / 1e9:.1f} GB, more than memory may hold as JSON; "
                           "give a subset as dataset.annotations")  # fmt: skip
    if what := storage.pretender(path):
        raise DatasetError(f"{path}: is {what}")
    data = path.read_bytes()
    try:
        return json.loads(data)  # bytes: UTF-8 whatever the locale, or UTF-16 or 32, with a byte order mark or without
    except (ValueError, RecursionError) as error:
        if what := _other_kind(path, data[:4096].decode(errors="replace")):
            raise DatasetError(f"{path}: is {what}, no COCO instances JSON; {CONVERT}") from error
        raise DatasetError(f"{path}: no COCO instances JSON ({type(error).__name__}: {error}); {CONVERT}") from error


def _told(derived: object) -> list[str]:
    """Return what was said of labels that were converted; a stranger's key of that name may be anything."""
    return [line for line in derived if isinstance(line, str)] if isinstance(derived, list) else []


def _other_kind(path: Path, text: str) -> str | None:
    first = text.strip().partition("\n")[0].strip()
    if path.suffix.lower() in (".yaml", ".yml") or re.search(r"^(names|nc|train|val)\s*:", text, re.MULTILINE):
        return "a YAML file, such as YOLO's data.yaml"
    if re.fullmatch(r"\d+(\s+[-+.\de]+){4,}", first):
        return "a YOLO label file"
    if first.startswith("<"):
        return "XML, such as Pascal VOC's"
    if re.search(r"\.(jpe?g|png|bmp|webp|tiff?)$", first, re.IGNORECASE):
        return "a list of images"
    return "a table, such as CSV" if path.suffix.lower() == ".csv" else None


def _structure(content: object) -> str | None:
    if not isinstance(content, dict):
        results = isinstance(content, list) and content and isinstance(content[0], dict) and "score" in content[0]
        kind = "COCO results, which are detections" if results else f"a {type(content).__name__}"
        return f"it is {kind}, not an object with images, annotations and categories; {CONVERT}"
    for key in LISTS:
        if key not in content:
            return f"it has no `{key}`, only {', '.join(map(str, content))}; {CONVERT}"[:400]
        if not isinstance(content[key], list) or not all(isinstance(one, dict) for one in content[key]):
            return f"its `{key}` are no list of objects; {CONVERT}"
    return None


def _identity(content: Instances) -> str | None:
    """Name the first list whose entries cannot be told apart, or put in order, by their ids."""
    for key, what in LISTS.items():
        ids = [entry.id for entry in getattr(content, key)]
        if key == "annotations":  # which are numbered where they are not
            ids = [one for one in ids if one is not None]
        if odd := [one for one in ids if not _is_id(one)]:
            return f"{what} id {odd[0]!r} is no whole number; give each {what} its own"
        texts = [one for one in ids if isinstance(one, str)]
        if texts and len(texts) < len(ids):
            other = next(one for one in ids if not isinstance(one, str))
            return f"{what} ids are both numbers and texts ({other!r}, {texts[0]!r}); write all of them as numbers"
        if key == "categories" and (odd := [one for one in texts if not NUMBER.fullmatch(one)]):
            return f"category id {odd[0]!r} is a text, which gives classes no order; number them as the model does"
    return None


def _is_id(value: object) -> bool:
    if isinstance(value, float):
        return value.is_integer()
    return isinstance(value, int | str) and not isinstance(value, bool)


def complaint(truth: Instances) -> str | None:
    """Name the first thing that is wrong, and what to do about it that loses nothing; None when nothing is."""
    for key, what in LISTS.items():
        number, times = next(iter(Counter(entry.id for entry in getattr(truth, key)).most_common(1)), (None, 1))
        if times > 1:
            return f"{what} id {number!r} occurs twice; give each {what} its own"
    images, categories = ({entry.id for entry in entries} for entries in (truth.images, truth.categories))
    checks = (
        *map(_of_image, truth.images),
        *(_of_annotation(annotation, images, categories) for annotation in truth.annotations),
    )
    return next(filter(None, checks), None)


def _of_image(image: Image) -> str | None:
    sides = image.width, image.height
    sizes = [size for size in sides if size is not UNSET]
    if all(_is_number(size) and size > 0 and size == int(size) for size in sizes):
        return None
    said = "x".join("?" if size is UNSET else str(size) for size in sides)
    text = " in texts" if any(isinstance(size, str) for size in sizes) else ""
    return f"image {image.id!r} has the size {said}{text} (width x height); correct it, or leave both out"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _of_annotation(annotation: Annotation, images: set, categories: set) -> str | None:
    name, box = f"annotation {annotation.id!r}", annotation.bbox
    references = (annotation.image_id, images, "image"), (annotation.category_id, categories, "category")
    if wrong := next(filter(None, (_of_reference(*reference) for reference in references)), None):
        return f"{name} {wrong}"
    if not isinstance(box, list) or len(box) != 4 or not all(map(_is_number, box)) or min(box[2:]) < 0:
        return f"{name} has the box {box!r}; give x, y, width and height in pixels, four numbers"[:300]
    if not _is_number(annotation.area) or annotation.area < 0 or annotation.iscrowd not in (0, 1):
        return f"{name} has the area {annotation.area} and iscrowd {annotation.iscrowd!r}; correct them"
    if 0 in box[2:]:
        side = "width" if box[2] == 0 else "height"
        return f"{name} has the box {box}, of no {side}, which nothing can match; correct it, or take it out"
    return None


def _of_reference(value: Any, known: set, what: str) -> str | None:
    key = f"{what}_id"
    if value is UNSET:
        return f"has no {key}; add it"
    if isinstance(value, list | dict) or value is None:
        return f"has the {key} {value!r}; give it the id of its {what}"
    if value in known:
        return None
    alike = [one for one in known if str(one).strip() == str(value).strip()]
    if alike:
        kinds = {str: "text"}
        ours, theirs = (kinds.get(type(one), "number") for one in (value, alike[0]))
        return f"has as {key} the {ours} {value!r}, where the {what} has the {theirs} {alike[0]!r}; write both alike"
    return f"is of {what} {value!r}, which is not listed; list it, or take the annotation out"
