"""YOLO label files as COCO instances: a line has a class and a box, or the corners of a segment, in fractions."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tqdm import tqdm

from speedmap.dataset import data_yaml, images
from speedmap.dataset.coco_json import DatasetError
from speedmap.dataset.data_yaml import Data, label_of
from speedmap.dataset.instances import Annotation, Category, Image, Instances

LARGEST = 10**7  # bytes
SLACK = 1e-3  # that rounding may carry a fraction beyond 1
NO_LABELS = {"classes.txt"}  # which labelling tools leave among them


def instances(data: Data) -> Instances:
    """Read the labels of the evaluation images into COCO instances, numbered by the images' names.

    A segment becomes a polygon in pixels; labels that repeat another are left out.
    """
    files, root = data_yaml.images(data.val), data_yaml.root(data)
    _check_files(data, files)
    with ThreadPoolExecutor() as pool:
        read = pool.map(lambda file: _labelled(file, len(data.names)), files)
        done = list(tqdm(read, "reading labels", len(files), unit="image", disable=None, leave=False))
    listed, annotations, repeated = [], [], 0
    for number, (file, (width, height, labels)) in enumerate(zip(files, done, strict=True), 1):
        listed.append(Image(id=number, file_name=str(file.relative_to(root)), width=width, height=height))
        unique = list(dict.fromkeys(labels))
        repeated += len(labels) - len(unique)
        annotations += [_annotation(label, number, width, height) for label in unique]
    for number, annotation in enumerate(annotations, 1):
        annotation.id = number
    categories = [Category(id=number, name=name) for number, name in enumerate(data.names)]
    bare = sum(not label_of(file).is_file() for file in files)
    told = [f"{repeated} labels that repeat another of their image left out"] if repeated else []
    told += [f"{bare} of {len(files)} images without a label file count as background"] if bare else []
    return Instances(images=listed, categories=categories, annotations=annotations, derived=told)


def _check_files(data: Data, files: list[Path]) -> None:
    """Refuse what would leave boxes out of the evaluation unseen: images, labels or folders that are missing."""
    if not files:
        raise DatasetError(f"{data.val[0]}: no images in it; {data.file} names it as val")
    if gone := [file for file in files if not file.exists()]:
        raise DatasetError(f"{gone[0]}: no such image ({len(gone)} such), to which val in {data.file} leads; put it "
                           "back, or take it out of the list")  # fmt: skip
    expected = {label_of(file) for file in files}
    folders = sorted({label.parent for label in expected})
    if absent := [folder for folder in folders if not folder.is_dir()]:
        raise DatasetError(f"{absent[0]}: no such folder, but YOLO has the labels there of the images that val in "
                           f"{data.file} leads to; put them there")  # fmt: skip
    if not any(label.is_file() for label in expected):
        raise DatasetError(
            f"{folders[0]}: has no label of the val images, such as {min(expected).name}; put them there"
        )
    if all(place.is_dir() for place in data.val):  # a list may leave images out
        present = (label for folder in folders for label in folder.glob("[!.]*.txt"))
        if alone := sorted(label for label in present if label not in expected and label.name not in NO_LABELS):
            raise DatasetError(
                f"{alone[0]}: a label without image ({len(alone)} such); put its image back, or move it away"
            )


def _labelled(file: Path, classes: int) -> tuple[int, int, list[tuple[float, ...]]]:
    """Return an image's width, height, and its labels, none where it has no file of them."""
    height, width = images.read(file).shape[:2]
    label = label_of(file)
    if not label.is_file():
        return width, height, []
    if label.stat().st_size > LARGEST:
        raise DatasetError(f"{label}: has {label.stat().st_size / 1e6:.0f} MB, too many for labels; correct it")
    try:
        lines = label.read_text("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise DatasetError(f"{label}: is no text; copy it again") from error
    return width, height, [_label(f"{label}: line {number}", line, classes)
                           for number, line in enumerate(lines, 1) if line.strip()]  # fmt: skip


def _label(where: str, line: str, classes: int) -> tuple[float, ...]:
    try:
        kind, *place = map(float, line.split())
    except ValueError as error:
        raise DatasetError(f"{where} is {line[:100]!r}, no numbers; give class, x, y, width and height") from error
    if not (kind.is_integer() and 0 <= kind < classes):
        raise DatasetError(
            f"{where} has the class {kind:g}, but names in data.yaml has 0 to {classes - 1}; correct one"
        )
    if len(place) != 4 and (len(place) < 6 or len(place) % 2):
        raise DatasetError(f"{where} has {len(place) + 1} numbers; give class, x, y, width and height, or the corners "
                           "of a segment; detections, with a score, and keypoints are no labels")  # fmt: skip
    if not all(0 <= number <= 1 + SLACK for number in place):
        odd = next(number for number in place if not 0 <= number <= 1 + SLACK)
        raise DatasetError(f"{where} has {odd:g}, no fraction of the image; divide x and width by the image's width, y "
                           "and height by its height")  # fmt: skip
    if len(place) == 4 and not all(place[2:]):
        raise DatasetError(
            f"{where} has a box of no {'height' if place[2] else 'width'}, which nothing can match; correct it"
        )
    return kind, *place


def _annotation(label: tuple[float, ...], image: int, width: int, height: int) -> Annotation:
    kind, *place = label
    annotation = Annotation(image_id=image, category_id=int(kind))
    pixels = [number * side for number, side in zip(place, (width, height) * (len(place) // 2), strict=True)]
    if len(place) > 4:  # its box follows from it, which the inventory says
        annotation.segmentation = [pixels]
    else:
        x, y, w, h = pixels
        annotation.bbox, annotation.area, annotation.iscrowd = [x - w / 2, y - h / 2, w, h], w * h, 0
    return annotation
