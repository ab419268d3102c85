"""The record beside an engine for those who use it, metadata.json: its contract, without any figure."""

from speedmap.results.cell import Cell
from speedmap.results.protocols import AccuracyProtocol
from speedmap.results.records import Record, Strict
from speedmap.results.values import Platform, Sha256


class Input(Strict, kw_only=True):
    """What an engine takes: an image resized by the ratio that makes its long side imgsz, and padded evenly.

    dynamic: whether the short side is the least multiple of `stride` that holds the image; else it is imgsz, too.
    padding: the grey of it, 0 to 255. batch: images at a time. The rest in words.
    """

    name: str
    imgsz: int
    batch: int = 1
    dynamic: bool
    stride: int
    padding: int
    layout: str = "NCHW"
    type: str = "float32"
    channels: str = "RGB"
    range: tuple[float, float] = (0.0, 1.0)
    resize: str = "area to shrink, linear to enlarge"


class Output(Strict, kw_only=True):
    """What an engine gives: a row an anchor, which thresholds and non-maximum suppression make into boxes."""

    name: str
    layout: str = "[batch, anchors, 5 + classes]"
    row: tuple[str, ...] = ("centre x", "centre y", "width", "height", "objectness", "a score for each class")
    unit: str = "pixels of the input"
    score: str = "objectness times class score"


class Usage(Record, kw_only=True):
    """How to use the engine of a cell. platform: what it was built and measured on, which it is bound to."""

    cell: Cell
    engine_sha256: Sha256
    classes: list[str]
    thresholds: AccuracyProtocol
    input: Input
    output: Output
    platform: Platform
    versions: dict[str, str]
