"""Data sets in COCO format: what is in them, and whether they can be used."""

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tqdm import tqdm

from speedmap import storage
from speedmap.dataset import images
from speedmap.dataset.letterbox import place
from speedmap.errors import UserError

PIXELS = "pixels_sha256"  # tells a copy, whatever its name, format and metadata
LARGEST_JSON = 10**9  # bytes; COCO's train2017 has half of it
SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")


class DatasetError(UserError):
    """A data set that cannot be used; the message names the file or config key, the cause and the remedy."""


def inventory(
    folder: Path, annotations: Path, calibration: Path, name: str, limit: int | None, imgsz: int, wanted: int | None
) -> dict:
    """List a data set's images, categories, input shapes and calibration images, having read every file of it.

    wanted: number of images that INT8 is calibrated on, None: all, 0: none. Raises DatasetError or ImageError for
    whatever would spoil a measurement later: see the checks below.
    """
    spare = _describe(calibration_files(calibration), "reading calibration images")
    _check_calibration(spare, wanted, calibration)
    instances = parse(annotations)
    chosen = sorted(instances["images"], key=lambda image: image["id"])[:limit]
    if not chosen:
        raise DatasetError(f"{annotations}: lists no images; dataset.annotations needs those to evaluate on")
    ids = {image["id"] for image in chosen}
    boxes = sum(box["image_id"] in ids and not box["iscrowd"] for box in instances["annotations"])
    if not boxes:
        raise DatasetError(
            f"{annotations}: no boxes but crowds for {len(chosen)} chosen images; raise dataset.limit or check the file"
        )
    described = _describe([_inside(folder, image["file_name"], annotations) for image in chosen], "reading images")
    _check_sizes(chosen, described, annotations)
    listed = [{"id": image["id"], **facts} for image, facts in zip(chosen, described, strict=True)]
    _check_disjoint(listed, spare)
    shapes = Counter("{}x{}".format(*place(image["height"], image["width"], imgsz, True).shape) for image in listed)
    content = [image["sha256"] for image in listed] + [storage.sha256(annotations)]
    return {
        "name": name,
        "annotations": str(annotations),
        "sha256": hashlib.sha256("".join(content).encode()).hexdigest(),
        "categories": [{"id": item["id"], "name": item["name"]} for item in instances["categories"]],
        "boxes": boxes,
        "shapes": dict(shapes.most_common()),
        "images": listed,
        "calibration": spare,
    }


def parse(annotations: Path) -> dict:
    """Read COCO instances JSON and check what it says; categories come in the order of their ids."""
    if not annotations.is_file():
        raise DatasetError(f"{annotations}: no such file; check dataset.annotations in the config")
    if (size := annotations.stat().st_size) > LARGEST_JSON:
        raise DatasetError(f"{annotations}: has {size / 1e9:.1f} GB, more than memory may hold as JSON; "
                           "give a subset as dataset.annotations")  # fmt: skip
    try:
        content = json.loads(annotations.read_text())
        for image in content["images"]:
            image["file_name"]
        content["categories"] = sorted(content["categories"], key=lambda category: (category["id"], category["name"]))
        wrong = complaint(content)
    except (ValueError, KeyError, TypeError, RecursionError, OSError) as error:
        raise DatasetError(
            f"{annotations}: no COCO instances JSON ({type(error).__name__}: {error}); see dataset.annotations"
        ) from error
    if wrong:
        raise DatasetError(f"{annotations}: {wrong}")
    return content


def calibration_files(folder: Path) -> list[Path]:
    """List a folder's image files by name."""
    files = sorted(path for path in folder.glob("*") if path.suffix.lower() in SUFFIXES)
    if not files:
        raise DatasetError(f"{folder}: no images in it ({', '.join(SUFFIXES)}; not in subfolders); dataset.calibration "
                           "needs a folder of images for INT8")  # fmt: skip
    return files


def _inside(folder: Path, name: str, annotations: Path) -> Path:
    path = folder / name
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise DatasetError(
            f"{annotations}: file_name {name!r} lies outside dataset.images; image names are relative to it"
        )
    if not path.is_file():
        raise DatasetError(
            f"{path}: named in {annotations} but not there; check dataset.images, or fetch the images again"
        )
    return path


def _describe(paths: list[Path], doing: str) -> list[dict]:
    with ThreadPoolExecutor() as pool:
        return list(tqdm(pool.map(_facts, paths), doing, len(paths), unit="image", disable=None, leave=False))


def _facts(path: Path) -> dict:
    image = images.read(path)
    if images.truncated(path.read_bytes(), image):
        raise DatasetError(f"{path}: a JPEG that ends too early; fetch it again, or take it out")
    height, width = image.shape[:2]
    facts = {"file": str(path), "height": height, "width": width, "sha256": storage.sha256(path)}
    return {**facts, PIXELS: hashlib.sha256(image.data).hexdigest()}


def _check_sizes(listed: list[dict], described: list[dict], annotations: Path) -> None:
    for image, facts in zip(listed, described, strict=True):
        said = image.get("height", facts["height"]), image.get("width", facts["width"])
        if said != (facts["height"], facts["width"]):
            raise DatasetError(
                f"{facts['file']}: is {facts['height']}x{facts['width']} but {annotations} says {said[0]}x{said[1]}, "
                "which would misplace its boxes; fix the annotations, or the file's EXIF orientation"
            )


def _check_calibration(found: list[dict], wanted: int | None, folder: Path) -> None:
    if len(found) < (wanted or 0):
        raise DatasetError(f"int8.images asks for {wanted} calibration images, but there are {len(found)} in {folder}; "
                           "add some, or lower int8.images")  # fmt: skip
    seen = found[:wanted]
    if len(seen) > 1 and len({image[PIXELS] for image in seen}) == 1:
        raise DatasetError(f"{folder}: the {len(seen)} calibration images are all alike, but INT8 needs varied ones to "
                           "learn ranges from; give dataset.calibration others")  # fmt: skip
    if seen and all(_plain(Path(image["file"])) for image in seen):
        raise DatasetError(f"{folder}: the calibration images are of one colour, but INT8 needs real ones to learn "
                           "ranges from; give dataset.calibration others")  # fmt: skip


def _plain(path: Path) -> bool:
    image = images.read(path)
    return bool((image == image[0, 0]).all())


def _check_disjoint(evaluated: list[dict], calibrated: list[dict]) -> None:
    seen = {image[PIXELS]: image["file"] for image in evaluated}
    if shared := [image for image in calibrated if image[PIXELS] in seen]:
        raise DatasetError(
            f"{shared[0]['file']}: calibration image equals an evaluation image ({seen[shared[0][PIXELS]]}; "
            f"{len(shared)} such), but INT8 must not see what it is judged on; give dataset.calibration other images"
        )


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
