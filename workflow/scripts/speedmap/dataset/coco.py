"""Data sets in COCO format: what is in them, and whether they can be used."""

import hashlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from msgspec import UNSET, structs
from tqdm import tqdm

from speedmap import storage
from speedmap.dataset import box_format, image_files, images, jpeg
from speedmap.dataset.coco_json import DatasetError, order, parse
from speedmap.dataset.instances import Annotation, Instances
from speedmap.dataset.instances import Image as Listed
from speedmap.dataset.letterbox import place
from speedmap.results.asked import Asked
from speedmap.results.inventory import Category, Dataset, Image


def inventory(asked: Asked, wanted: int | None) -> Dataset:
    """List a data set's images, categories, input shapes and calibration images, having read every file of it.

    wanted: number of images that INT8 is calibrated on, None: all, 0: none. Raises DatasetError or ImageError for
    whatever would spoil a measurement later: see the checks below.
    """
    folder, annotations, calibration = map(Path, (asked.images, asked.annotations, asked.calibration))
    spare = _describe(calibration_files(calibration), "reading calibration images")
    _check_calibration(spare, wanted, calibration)
    instances = parse(annotations)
    chosen = sorted(instances.images, key=lambda image: order(image.id))[: asked.limit]
    if not chosen:
        raise DatasetError(f"{annotations}: lists no images; dataset.annotations needs those to evaluate on")
    boxes = _chosen_boxes(instances, chosen, annotations)
    described = _describe([_inside(folder, image, annotations) for image in chosen], "reading images")
    _check_sizes(chosen, described, annotations)
    _check_boxes(instances.annotations, chosen, described, annotations)
    listed = [structs.replace(facts, id=_id(image.id)) for image, facts in zip(chosen, described, strict=True)]
    _check_disjoint(listed, spare)
    shapes = Counter("{}x{}".format(*place(image.height, image.width, asked.imgsz, True).shape) for image in listed)
    content = [image.sha256 for image in listed] + [storage.sha256(annotations)]
    return Dataset(
        name=asked.name,
        annotations=asked.annotations,
        sha256=hashlib.sha256("".join(content).encode()).hexdigest(),
        categories=[Category(id=_id(item.id), name=item.name) for item in instances.categories],
        boxes=boxes,
        shapes=dict(shapes.most_common()),
        images=listed,
        calibration=spare,
        derived=instances.derived,
        asked=asked,
    )


def _id(number: float | str) -> int | str:
    return number if isinstance(number, str) else int(number)


def _chosen_boxes(instances: Instances, chosen: list[Listed], annotations: Path) -> int:
    """Count the boxes to find, crowds apart; DatasetError for none."""
    ids = {image.id for image in chosen}
    here = [box for box in instances.annotations if box.image_id in ids]
    if boxes := sum(not box.iscrowd for box in here):
        return boxes
    if not instances.annotations:
        raise DatasetError(f"{annotations}: no boxes in it; its `annotations` are empty, so that there is no mAP")
    if here:
        raise DatasetError(f"{annotations}: no boxes but crowds for the {len(chosen)} images; correct iscrowd")
    raise DatasetError(f"{annotations}: no boxes in the first {len(chosen)} images; raise dataset.limit")


def calibration_files(folder: Path) -> list[Path]:
    """List a folder's image files by name, hidden ones apart, which macOS leaves beside others; or those of a list."""
    if folder.is_file():
        listed = image_files.listed(folder) if folder.suffix == ".txt" else None
        if not listed:
            none = "lists no images (train in a data.yaml names none, or only those of val)"
            what = "is a file" if listed is None else none
            raise DatasetError(
                f"{folder}: {what}; dataset.calibration needs a folder of images for INT8, or a .txt of paths"
            )
        return listed
    files = sorted(path for path in folder.glob("[!.]*") if path.suffix.lower() in image_files.SUFFIXES)
    if not files:
        suffixes = ", ".join(image_files.SUFFIXES)
        raise DatasetError(f"{folder}: no images in it ({suffixes}; not in subfolders); dataset.calibration needs a "
                           "folder of images for INT8")  # fmt: skip
    return files


def _inside(folder: Path, image: Listed, annotations: Path) -> Path:
    name = image.file_name
    if not isinstance(name, str) or not name.strip():
        raise DatasetError(
            f"{annotations}: image {image.id!r} has the file_name {name!r}; give it the name of its file"
        )
    path = folder / name
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise DatasetError(
            f"{annotations}: file_name {name!r} lies outside dataset.images; image names are relative to it"
        )
    if not storage.named(path).is_file():
        hint = ", where names have / between folders, not \\" if "\\" in name else ""
        raise DatasetError(
            f"{path}: named in {annotations} but not there{hint}; check dataset.images, or fetch the images again"
        )
    return path


def _describe(paths: list[Path], doing: str) -> list[Image]:
    with ThreadPoolExecutor() as pool:
        return list(tqdm(pool.map(_facts, paths), doing, len(paths), unit="image", disable=None, leave=False))


def _facts(path: Path) -> Image:
    data = storage.named(path).read_bytes()
    image = images.decode(data, path)
    if jpeg.truncated(data):
        raise DatasetError(f"{path}: a JPEG that ends too early; copy or fetch it again, or leave it out")
    height, width = image.shape[:2]
    content, pixels = (hashlib.sha256(part).hexdigest() for part in (data, image.data))
    return Image(file=str(path), height=height, width=width, sha256=content, pixels_sha256=pixels)


def _check_sizes(listed: list[Listed], described: list[Image], annotations: Path) -> None:
    for image, facts in zip(listed, described, strict=True):
        true = facts.width, facts.height
        sides = zip((image.width, image.height), true, strict=True)
        said = tuple(read if given is UNSET else given for given, read in sides)
        if said != true:
            raise DatasetError(
                f"{facts.file}: is {true[0]}x{true[1]} but {annotations} says {said[0]}x{said[1]} (width x height), "
                "which would misplace its boxes; fix the annotations, or the file's EXIF orientation"
            )


def _check_boxes(boxes: list[Annotation], chosen: list[Listed], described: list[Image], annotations: Path) -> None:
    sizes = {image.id: (facts.width, facts.height) for image, facts in zip(chosen, described, strict=True)}
    if wrong := box_format.complaint([(box, *sizes[box.image_id]) for box in boxes if box.image_id in sizes]):
        raise DatasetError(f"{annotations}: {wrong}")


def _check_calibration(found: list[Image], wanted: int | None, folder: Path) -> None:
    if len(found) < (wanted or 0):
        raise DatasetError(f"int8.images asks for {wanted} calibration images, but there are {len(found)} in {folder}; "
                           "add some, or lower int8.images")  # fmt: skip
    seen = found[:wanted]
    if len(seen) > 1 and len({image.pixels_sha256 for image in seen}) == 1:
        raise DatasetError(f"{folder}: the {len(seen)} calibration images are all alike, but INT8 needs varied ones to "
                           "learn ranges from; give dataset.calibration others")  # fmt: skip
    if seen and all(_plain(Path(image.file)) for image in seen):
        raise DatasetError(f"{folder}: the calibration images are of one colour, but INT8 needs real ones to learn "
                           "ranges from; give dataset.calibration others")  # fmt: skip


def _plain(path: Path) -> bool:
    image = images.read(path)
    return bool((image == image[0, 0]).all())


def _check_disjoint(evaluated: list[Image], calibrated: list[Image]) -> None:
    seen = {image.pixels_sha256: image.file for image in evaluated}
    if shared := [image for image in calibrated if image.pixels_sha256 in seen]:
        raise DatasetError(
            f"{shared[0].file}: calibration image equals an evaluation image ({seen[shared[0].pixels_sha256]}; "
            f"{len(shared)} such), but INT8 must not see what it is judged on; give dataset.calibration other images"
        )
