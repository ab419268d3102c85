"""How INT8 is made."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """The section `int8` of a config, whose schema says what each means, without its method."""

    images: int | None = None
    range: str = "power"
    bias_correction: bool = True
    compensate: bool = True
    target: float = 0
    least_share: float = 0.9
    scan: int = 8
    residuals: str = "both"
