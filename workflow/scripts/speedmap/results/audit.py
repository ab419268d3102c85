"""What an engine really runs."""

from typing import Any

from msgspec import field

from speedmap.results.findings import Invalidity, TargetMissed
from speedmap.results.records import Strict


class Agreement(Strict, kw_only=True):
    """With the float32 graph: least cosine of the scores of an image, median overlap of boxes, over so many images."""

    scores: float
    boxes: float
    images: int


class Audit(Strict, kw_only=True, omit_defaults=True):
    """What an engine really runs. shares: of the multiply-adds by precision. others: convolutions in another one.

    invalid: why the cell's figures are worthless. remarks: what its reader should know besides. lint: TensorRT's.
    """

    precision: str
    shares: dict[str, float]
    others: list[str] = field(default_factory=list)
    agreement: Agreement | None = None
    invalid: list[Invalidity] = field(default_factory=list)
    remarks: list[TargetMissed] = field(default_factory=list)
    lint: dict[str, Any] = field(default_factory=dict)
