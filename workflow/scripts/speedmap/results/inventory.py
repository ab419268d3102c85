"""The inventory of a data set: what it holds, and apart from that what engines are made with."""

import hashlib

from msgspec import field

from speedmap.results.asked import Asked
from speedmap.results.environment import Images
from speedmap.results.records import Record, Strict
from speedmap.results.values import Sha256


class Image(Strict, kw_only=True, omit_defaults=True):
    """An image file. id: in the annotations, None for one to calibrate on. pixels_sha256: tells a copy."""

    file: str
    height: int
    width: int
    sha256: Sha256
    pixels_sha256: Sha256
    id: int | str | None = None


class Category(Strict, kw_only=True):
    """A class of objects as the annotations number it, which may be in texts."""

    id: int | str
    name: str


class Inventory(Record, kw_only=True):
    """What every inventory of a data set says.

    boxes: without crowds. shapes: images by input shape, most first. derived: in words, what the annotations lack.
    """

    name: str
    annotations: str
    sha256: Sha256
    categories: list[Category]
    boxes: int
    shapes: dict[str, int]
    derived: list[str] = field(default_factory=list)


class ImageSet(Record, kw_only=True):
    """What engines are made with, images.json: nothing of it changes with a box, so that they stay when one does."""

    categories: list[Category]
    shapes: dict[str, int]
    calibration: list[Image]

    @property
    def likeliest(self) -> tuple[int, int]:
        """The most frequent input shape, height and width."""
        height, width = map(int, next(iter(self.shapes)).split("x"))
        return height, width

    @property
    def calibration_files(self) -> list[str]:
        return [image.file for image in self.calibration]


class Dataset(Inventory, kw_only=True):
    """The inventory of a data set, dataset.json."""

    asked: Asked | None = None
    images: list[Image]
    calibration: list[Image]

    @property
    def category_ids(self) -> list[int | str]:
        return [category.id for category in self.categories]

    def image_set(self) -> ImageSet:
        """Return what does not change with a box."""
        return ImageSet(categories=self.categories, shapes=self.shapes, calibration=self.calibration)

    def named(self) -> Images:
        """Name the data set in a record, and hash what it holds: images with their annotations, calibration images."""
        calibration = "".join(image.sha256 for image in self.calibration)
        return Images(
            name=self.name,
            images=len(self.images),
            sha256=self.sha256,
            calibration_sha256=hashlib.sha256(calibration.encode()).hexdigest(),
        )


class PublishedDataset(Inventory, kw_only=True):
    """An inventory without the list of its images: how many there are."""

    images: int
    calibration: int
