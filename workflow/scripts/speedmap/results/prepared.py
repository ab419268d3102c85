"""The records of what is prepared before anything is measured: weights, graphs, INT8 choices, engines."""

from typing import Any

from msgspec import field

from speedmap.results.audit import Audit
from speedmap.results.environment import Run
from speedmap.results.records import Record, Strict
from speedmap.results.timing_findings import Watched
from speedmap.results.values import Platform, Sha256


class Weights(Record, kw_only=True):
    """The record beside normalised weights, of which engine_sha256 is the hash.

    source, weights_sha256: of the file that they came from, `random` and None for none. names: of the classes. given:
    worst differences from the ONNX that they were read from.
    """

    model: str
    source: str
    weights_sha256: Sha256 | None
    parameters: int
    names: list[str] | None
    random: bool
    engine_sha256: Sha256
    given: dict[str, float] | None = None


class Graph(Strict, kw_only=True):
    """A float32 graph and its worst differences from torch."""

    onnx_sha256: Sha256
    difference: dict[str, float]


class Export(Record, kw_only=True):
    """The record beside a model's float32 graphs, of static and of dynamic input. form: what was rewritten."""

    opset: int
    form: dict[str, Any]
    static: Graph
    dynamic: Graph


class Calibration(Record, kw_only=True):
    """How calibration statistics came about. onnx, images: names and hashes of the files."""

    algorithm: str
    preprocessing: dict[str, str | int]
    versions: dict[str, str]
    onnx: dict[str, str]
    images: list[dict[str, str]]


class ConvCost(Strict, kw_only=True):
    """A convolution: its share of the multiply-adds, and what INT8 in it alone does to the output.

    price_us: of leaving it in float, beside the ends, in TensorRT's terms; None where that was not noted yet.
    """

    conv: str
    share: float
    error: float
    in_float: bool = field(name="float")
    price_us: float | None = None


class Choice(Record, kw_only=True):
    """Which convolutions stay in float in INT8, and what that reaches; None where nothing was scanned.

    ranges: by tensor, the method of its range, where another than that of the config does less harm.
    """

    in_float: list[str] = field(name="float")
    table: list[ConvCost]
    ranges: dict[str, str] = field(default_factory=dict)
    target: float | None = None
    reached: float | None = None
    met: bool | None = None
    int8_share: float | None = None


class Engine(Record, kw_only=True):
    """The record beside an engine. options, build: the backend's own, and what it found out while it built."""

    engine_sha256: Sha256
    onnx_sha256: Sha256
    platform: Platform
    bytes: int
    options: dict[str, Any]
    build: dict[str, Any]
    runs: list[Run]

    @property
    def build_s(self) -> float | None:
        return self.build.get("build_s")

    @property
    def builder_level(self) -> int | None:
        return self.options.get("builder_level")


class Verification(Record, kw_only=True):
    """What was found out about an engine before it is believed. runs: [] where that was not noted yet."""

    engine_sha256: Sha256
    audit: Audit
    runs: list[Run] = field(default_factory=list)


class Peaks(Record, kw_only=True):
    """What the device can do at most: multiply-adds a second by precision, and bytes a second; None where unknown.

    by: what measured it, or why nothing did. warnings: what was seen to disturb it.
    """

    device: str | None
    operations: dict[str, float | None]
    bytes: float | None
    by: str
    runs: list[Run]
    warnings: list[Watched] = field(default_factory=list)
