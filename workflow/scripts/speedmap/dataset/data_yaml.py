"""YOLO's data.yaml: where the images lie that are evaluated and trained on, and what the classes are called.

No library: supervision, which reads one too, brings scipy, matplotlib and PyAV, takes no list of images, and rounds
boxes to float32. Read at every plan, so that nothing is needed here but what Snakemake has.
"""

import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from speedmap import storage
from speedmap.dataset import image_files
from speedmap.errors import UserError

LARGEST = 10**7  # bytes of a description; lists of images may have ten times as many
ENOUGH = 128  # images of `train` to calibrate on, where the config says no number


class DataYamlError(UserError):
    """A data.yaml that cannot be used; the message names it, the cause and the remedy."""


@dataclass(frozen=True)
class Data:
    """What a data.yaml says. names: of the classes by number. train, val: folders of images, or text files of paths."""

    file: Path
    names: tuple[str, ...]
    train: tuple[Path, ...]
    val: tuple[Path, ...]


@dataclass(frozen=True)
class Description:
    """The keys of a data.yaml, as they stand there; None for what does not."""

    path: Any = None
    train: Any = None
    val: Any = None
    names: Any = None
    nc: Any = None


def read(file: Path) -> Data:
    """Read a data.yaml and find what it names; `train` may be missing."""
    content = _load(file)
    path = content.path or ""
    train = _places(file, path, "train", content.train) if content.train else ()
    return Data(file, _names(file, content.names, content.nc), train, _places(file, path, "val", content.val))


def images(places: tuple[Path, ...]) -> list[Path]:
    """List the images in folders, theirs below them included, and in lists, by name."""
    return sorted({image for place in places for image in (image_files.below if place.is_dir() else _listed)(place)})


def root(data: Data) -> Path:
    """Return the folder below which all evaluation images lie."""
    folders = [place for place in data.val if place.is_dir()]
    folders += [image.parent for place in data.val if not place.is_dir() for image in _listed(place)]
    if not folders:
        raise DataYamlError(f"{data.val[0]}: lists no images; {data.file} names it as val")
    mixed = len({folder.is_absolute() for folder in folders}) > 1
    return Path(os.path.commonpath([folder.absolute() if mixed else folder for folder in folders]))


def label_of(image: Path) -> Path:
    """Return where the label of an image lies: in `labels` for the last `images` in its path, else beside it."""
    parts = list(image.parent.parts)
    if "images" in parts:
        parts[len(parts) - 1 - parts[::-1].index("images")] = "labels"
    return Path(*parts, f"{image.stem}.txt")


def calibration(data: Data, count: int | None) -> list[Path]:
    """Choose images of `train` that are not evaluated, evenly spaced by name, to calibrate INT8 on."""
    evaluated = set(images(data.val))
    spare = [image for image in images(data.train) if image not in evaluated]
    wanted = min(count or ENOUGH, len(spare))
    return [spare[index * len(spare) // wanted] for index in range(wanted)]


def _load(file: Path) -> Description:
    if not file.is_file():
        what = "a folder" if file.is_dir() else "not there"
        raise DataYamlError(f"{file}: is {what}; give dataset.data the path of a data.yaml")  # fmt: skip
    if file.stat().st_size > LARGEST or (what := storage.pretender(file)):
        raise DataYamlError(
            f"{file}: is {'too large for' if file.stat().st_size > LARGEST else what + ', not'} a data.yaml"
        )
    try:
        content = yaml.safe_load(file.read_text("utf-8-sig"))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        cause = " ".join(str(error).split())[:200]
        raise DataYamlError(f"{file}: is no YAML in UTF-8 ({cause}); correct it") from error
    if not isinstance(content, dict):
        raise DataYamlError(
            f"{file}: is no data.yaml, but a {type(content).__name__}; give one with train, val and names"
        )
    return Description(**{one.name: content[one.name] for one in fields(Description) if one.name in content})


def _names(file: Path, names: Any, count: Any) -> tuple[str, ...]:
    if isinstance(names, dict):
        if sorted(map(str, names)) != sorted(map(str, range(len(names)))):
            raise DataYamlError(f"{file}: names are not numbered 0 to {len(names) - 1}; give every class its number")
        names = [name for _number, name in sorted(names.items(), key=lambda item: int(item[0]))]
    if not isinstance(names, list) or not names or not all(isinstance(name, str | int | float) for name in names):
        raise DataYamlError(f"{file}: names is no list of class names; give them in the order of their numbers")
    if count not in (None, len(names)):
        raise DataYamlError(f"{file}: nc is not the number of names, {len(names)}; correct one of them")
    return tuple(map(str, names))


def _places(file: Path, path: Any, split: str, given: Any) -> tuple[Path, ...]:
    entries = given if isinstance(given, list) and given else [given]
    if not all(isinstance(entry, str) and entry for entry in (*entries, path or ".")):
        raise DataYamlError(f"{file}: {split} and path are no names of folders; give {split} the folder of its images, "
                            "or a text file that lists them")  # fmt: skip
    return tuple(_place(file, path, split, entry) for entry in entries)


def _place(file: Path, path: str, split: str, entry: str) -> Path:
    """Find a folder or list: below data.yaml's folder, the one above (YOLOv5 has them in data/), or where one stands.

    Roboflow writes a ../ too many, which is left out where the path leads nowhere, as training does.
    """
    bases = [base / path for base in (file.parent, file.parent.parent, Path())]
    tried = list(dict.fromkeys(base / name for name in (entry, entry.removeprefix("../")) for base in bases))
    place = next((place for place in tried if place.exists()), None)
    if place is None:
        looked = ", ".join(map(str, tried))
        raise DataYamlError(f"{file}: {split} names {entry}, which is not there ({looked}); correct it, or path")
    if place.is_file() and place.suffix.lower() != ".txt":
        raise DataYamlError(
            f"{file}: {split} names {place}, which is no folder and no list of images (.txt); correct it"
        )
    return place


def _listed(place: Path) -> list[Path]:
    if place.stat().st_size > 10 * LARGEST:
        raise DataYamlError(
            f"{place}: has {place.stat().st_size / 1e6:.0f} MB, too many for a list of images; give a shorter one"
        )
    try:
        return image_files.listed(place)
    except (UnicodeDecodeError, ValueError) as error:
        raise DataYamlError(f"{place}: is no list of images in UTF-8; write a path a line") from error
