"""Calibration images for INT8 from a training set that is too large to fetch whole (COCO's train2017: 19 GB)."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from msgspec import MsgspecError, Struct, json
from tqdm import tqdm

from speedmap.dataset import images
from speedmap.dataset.download import FetchError, UnreachableError, fetch
from speedmap.dataset.unzip import open_archive, wanted

CONNECTIONS = 8  # waiting for the server is nearly all there is to it; more would be impolite
REMEDY = "point dataset.calibration at others of your own that are not evaluated"


class Image(Struct):
    """An image as the annotations list it."""

    id: int | str
    file_name: str
    height: int
    width: int


class Boxed(Struct):
    """That an image has a box."""

    image_id: int | str


class Instances(Struct):
    """What is read of COCO instances JSON: not its segmentations, which are 450 MB of text in train2017."""

    images: list[Image]
    annotations: list[Boxed]


def fetch_images(archive: Path, member: str, url: str, count: int, target: Path) -> None:
    """Fetch `count` images of the COCO instances JSON `member` in a zip file, each from `url`/its name, into a folder.

    The folder grows as `target`.part, which a failed attempt leaves behind for the next, and takes its place when
    complete. Raises FetchError or ArchiveError, after which there is no `target`.
    """
    chosen = choose(read_instances(archive, member), count)
    part = target.with_name(f"{target.name}.part")
    part.mkdir(parents=True, exist_ok=True)
    _remove_others(part, {_name(image) for image in chosen})
    try:
        with ThreadPoolExecutor(CONNECTIONS) as pool:  # the first failure takes the images still waiting off the pool
            done = pool.map(partial(_fetch_image, url=url, folder=part), chosen)
            list(tqdm(done, "fetching calibration images", len(chosen), unit="image", disable=None, leave=False))
    except UnreachableError as error:
        server = urlsplit(url).netloc
        raise UnreachableError(f"cannot reach {server} to fetch {count} calibration images; {REMEDY}") from error
    part.replace(target)


def read_instances(archive: Path, member: str) -> Instances:
    """Read COCO instances JSON out of a zip file."""
    with open_archive(archive) as file, file.open(wanted(file.infolist(), member, archive)[0]) as stream:
        text = stream.read()
    try:
        return json.decode(text, type=Instances)
    except (MsgspecError, UnicodeDecodeError) as error:
        raise FetchError(f"{archive}: {member} is no COCO instances JSON ({error}); name another as member") from error


def choose(instances: Instances, count: int) -> list[Image]:
    """Choose `count` images, evenly spaced over the sorted ids of those that have boxes."""
    boxed = {annotation.image_id for annotation in instances.annotations}
    listed = sorted((image for image in instances.images if image.id in boxed), key=lambda image: image.id)
    if count > len(listed):
        raise FetchError(f"{count} calibration images wanted, {len(listed)} have boxes; lower `count` in the config")
    return [listed[index * len(listed) // count] for index in range(count)]


def _name(image: Image) -> str:
    return Path(image.file_name).name  # the name alone, so that no annotation file can write elsewhere


def _remove_others(folder: Path, names: set[str]) -> None:
    for path in folder.iterdir():
        if path.name not in names:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _fetch_image(image: Image, url: str, folder: Path) -> None:
    target = folder / _name(image)
    if not target.exists():
        fetch(f"{url.rstrip('/')}/{target.name}", target, progress=False)
    try:
        size = images.read(target).shape[:2]
    except images.ImageError:
        size = ()
    # In any order, because EXIF turns some of COCO's images and its annotations do not know.
    if sorted(size) != sorted((image.height, image.width)):
        target.unlink()
        raise FetchError(f"{url.rstrip('/')}/{target.name}: not the {image.width}x{image.height} image of the "
                         "annotations; run again")  # fmt: skip
