"""What an inventory of a data set follows from; loads nothing that a plan has no use for."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The data set that a config names. data: the data.yaml behind the others."""

    name: str
    images: str
    annotations: str
    calibration: str
    limit: int | None
    imgsz: int
    data: str | None = None
