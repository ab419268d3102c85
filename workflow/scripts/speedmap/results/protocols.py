"""How figures are taken."""

from speedmap.results.records import Strict
from speedmap.results.values import Number


class SpeedProtocol(Strict, kw_only=True):
    """How speed is measured. conf, iou: of the phases around the engine."""

    conf: Number
    iou: Number
    warmup_s: Number
    min_s: Number
    min_samples: int


class AccuracyProtocol(Strict, kw_only=True):
    """How detections are taken."""

    conf: Number
    iou: Number
    max_det: int


class Protocols(Strict, kw_only=True):
    """How figures are to be taken."""

    imgsz: int
    speed: SpeedProtocol
    accuracy: AccuracyProtocol
