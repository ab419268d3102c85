"""The record of a cell's mAP, accuracy.json."""

from typing import Annotated

from msgspec import Meta, field

from speedmap import __version__
from speedmap.results.cell import Cell
from speedmap.results.environment import Artefact, Environment, Images, Opened, Run
from speedmap.results.findings import OfDetections
from speedmap.results.protocols import AccuracyProtocol
from speedmap.results.records import SCHEMA, Strict
from speedmap.results.values import Share, Time


class Metrics(Strict, kw_only=True):
    """Fractions of 1, -1 where the data set has no such objects; map_se: the standard error of map, None if unknown."""

    map: Share
    map50: Share
    map75: Share
    map_small: Share
    map_medium: Share
    map_large: Share
    map_se: Annotated[float, Meta(ge=0)] | None


class OfClass(Strict, kw_only=True):
    """The AP50-95 of one class as a fraction of 1, -1 where it has no objects. objects: of it, without crowds."""

    name: str
    ap: Share
    objects: int


class Draws(Strict, kw_only=True, omit_defaults=True):
    """A metric in every draw of a bootstrap over images; [] when nothing was found, or in one image."""

    map: Annotated[list[float], Meta(max_length=400)] = field(default_factory=list)
    map50: Annotated[list[float], Meta(max_length=400)] = field(default_factory=list)


class Evaluation(Strict, kw_only=True):
    """A mAP with its errors.

    classes: in the order of their ids; [] where nothing was detected, or that was not noted yet.
    """

    metrics: Metrics
    bootstrap: Draws
    classes: list[OfClass] = field(default_factory=list)


class Evaluated(Evaluation, kw_only=True):
    """A mAP with all that is known of the detections behind it."""

    imgsz: int
    dataset: Images
    session: Opened
    warnings: list[OfDetections]


class Accuracy(Evaluated, kw_only=True, tag_field="schema", tag=SCHEMA):
    """The record of a cell's mAP."""

    speedmap: str = __version__
    cell: Cell
    protocol: AccuracyProtocol
    artefact: Artefact
    environment: Environment
    measured: Time
    runs: Annotated[list[Run], Meta(min_length=1)]
