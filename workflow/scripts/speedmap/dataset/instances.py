"""What COCO instances JSON holds, as far as it is used; what is not there is None, or UNSET where that tells."""

from typing import Any

from msgspec import UNSET, Struct


class Image(Struct, omit_defaults=True):
    """An image as the annotations list it."""

    id: Any = None
    file_name: Any = None
    width: Any = UNSET
    height: Any = UNSET


class Category(Struct, omit_defaults=True):
    """A class of objects."""

    id: Any = None
    name: Any = None
    supercategory: Any = None


class Annotation(Struct, omit_defaults=True):
    """An object. bbox: x, y, width and height in pixels. iscrowd: whether it stands for several, not to be found."""

    id: Any = None
    image_id: Any = UNSET
    category_id: Any = UNSET
    bbox: Any = None
    area: Any = None
    iscrowd: Any = None
    segmentation: Any = None


class Instances(Struct, omit_defaults=True):
    """A data set's objects. derived: in words, what their source lacked and what was left out of it."""

    images: list[Image]
    categories: list[Category]
    annotations: list[Annotation]
    derived: list[str] = []
