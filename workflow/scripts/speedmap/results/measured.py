"""The records of what was measured, speed.json and accuracy.json."""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType, field

from speedmap import __version__
from speedmap.results.cell import Cell
from speedmap.results.findings import (
    Disturbance,
    Doubt,
    Finding,
    Imprecise,
    Invalidity,
    OfDetections,
    TargetMissed,
    Unwatched,
    Watched,
)
from speedmap.results.records import SCHEMA, Strict

Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Time = Annotated[str, Meta(pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}[+]00:00$")]
Moment = Annotated[str, Meta(pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}[.][0-9]{6}[+]00:00$")]
Positive = Annotated[float, Meta(gt=0)]
Count = Annotated[int, Meta(ge=1)]
Shape = Annotated[str, Meta(pattern="^[0-9]+x[0-9]+$")]  # height x width
Share = Annotated[float, Meta(ge=-1, le=1)]
Number = int | float  # as it was given
Platform = dict[str, str | Number | None]  # what an engine depends on besides its graph


class Place(Strict, kw_only=True):
    """A GPU of the host."""

    index: int
    uuid: str


class Run(Strict, kw_only=True):
    """What ran for a record, when, and on which GPU; None on none."""

    gpu: Place | None
    start: Moment
    end: Moment


class Artefact(Strict, kw_only=True, omit_defaults=True):
    """The files that were measured."""

    engine_sha256: Sha256
    onnx_sha256: Sha256 | None = None
    weights_sha256: Sha256 | None = None


class Environment(Strict, kw_only=True, omit_defaults=True):
    """The machine and the software. commit_from: git, or the variable that named the commit. dirty: only git knows.

    code: fingerprint of the code that measured.
    """

    cpu: str
    system: str
    versions: dict[str, str]
    platform: Platform
    code: Annotated[str, Meta(pattern="^[0-9a-f]{12}$")]
    commit: Annotated[str, Meta(pattern="^[0-9a-f]{40}$")] | None = None
    commit_from: str = "git"
    dirty: bool | None = None

    @property
    def device(self) -> str:
        """What figures are of: the GPU, else the processor."""
        return self.platform.get("gpu") or self.platform.get("device") or self.cpu

    @property
    def driver(self) -> str | None:
        """The GPU's driver, None where no backend tells."""
        return self.platform.get("driver")

    @property
    def short_commit(self) -> str:
        return (self.commit or "unknown")[:12]


class Images(Strict, kw_only=True):
    """The data set that was measured on."""

    name: str
    images: int
    sha256: Sha256
    calibration_sha256: Sha256


class Opened(Strict, kw_only=True, omit_defaults=True):
    """How a backend ran an engine, as far as it tells.

    threads, streams: on a CPU. stream, graphs: of CUDA. profile: least, likeliest and largest input. engine_mib,
    activations_mib: the memory that the opened engine and its activations took.
    """

    precision: str | None = None
    mode: str | None = None
    memory_format: str | None = None
    cudnn_benchmark: bool | None = None
    tf32: bool | None = None
    threads: int | None = None
    streams: int | None = None
    stream: str | None = None
    tensorrt: str | None = None
    libnvinfer: str | None = None
    profile: dict[str, list[int]] | None = None
    engine_mib: float | None = None
    activations_mib: float | None = None
    graphs: dict[str, Any] | None = None


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


class Summary(Strict, kw_only=True):
    """Latencies summed up, in milliseconds; a tail quantile is None where the samples are too few for it."""

    count: Count
    median_ms: Positive
    median_low_ms: float
    median_high_ms: float
    p90_ms: float | None
    p99_ms: float | None
    min_ms: float
    mean_ms: float
    drift: float


class ShapeMedian(Strict, kw_only=True):
    """The latencies of one input shape."""

    count: Count
    median_ms: Positive


class Phases(Strict, kw_only=True, omit_defaults=True):
    """Medians in milliseconds, from pixels to boxes. device: those that the engine itself measured."""

    letterbox: float | None
    load: float | None
    run: float | None
    fetch: float | None
    nms: float | None
    end_to_end: float | None
    device: dict[str, float] = field(default_factory=dict)


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


class Energy(Strict, kw_only=True):
    """What the device took while it was watched, idle power included. by: what told it."""

    joules: Positive
    seconds: Positive
    by: Literal["counter", "power samples"]


class Watch(Strict, kw_only=True):
    """How the machine was while it was timed on. samples: evenly taken from all, of which there were `count`.

    busiest: shares of all processors that other processes took, by name and number. energy: None where nobody tells.
    """

    alive: bool
    error: str | None
    setting: dict[str, Any]
    count: int
    ranges: dict[str, tuple[Number, Number]]
    untold: list[str]
    reasons: list[str]
    neighbours: dict[str, float]
    foreign_pids: list[int]
    warnings: list[Watched]
    samples: list[dict[str, Any]]
    busiest: dict[str, float] = field(default_factory=dict)
    energy: Energy | None = None


class Timing(Strict, kw_only=True):
    """An engine's latencies. samples_ms: in the order of the runs, the input shape of each beside it.

    doubts: what the samples themselves say against their median.
    """

    samples_ms: Annotated[list[Positive], Meta(min_length=1)]
    shapes: list[Shape]
    summary: Summary
    doubts: list[Doubt]
    per_shape: dict[str, ShapeMedian]


class Timed(Timing, kw_only=True):
    """Latencies with all that was found out while they were taken. alternatives: of other ways to run the engine.

    inferences: while it was watched, those that are not timed, too; UNSET where that was not noted yet.
    """

    phases: Phases
    alternatives: dict[str, Summary]
    imgsz: int
    dataset: Images
    session: Opened
    audit: Audit
    watch: Watch
    inferences: Count | UnsetType = UNSET

    @property
    def warnings(self) -> list[Finding]:
        return [*self.doubts, *self.watch.warnings]

    @property
    def disturbed(self) -> bool:
        """Return whether the run was off by itself, whatever its engine: others at work, throttling, unrest."""
        return any(isinstance(warning, Disturbance) for warning in self.warnings)

    @property
    def quotable(self) -> bool:
        """Return whether the median may be quoted: of a run that was watched and undisturbed, and well known."""
        return not any(isinstance(warning, Disturbance | Imprecise | Unwatched) for warning in self.warnings)


class Take(Strict, kw_only=True):
    """A run that another one of the same engine was preferred to."""

    measured: Time
    summary: Summary
    warnings: list[Doubt | Watched]


class Speed(Timed, kw_only=True, tag_field="schema", tag=SCHEMA):
    """The record of a timed cell. aside: the other of two runs, of which the less disturbed one counts."""

    speedmap: str = __version__
    cell: Cell
    protocol: SpeedProtocol
    artefact: Artefact
    environment: Environment
    measured: Time
    runs: Annotated[list[Run], Meta(min_length=1)]
    aside: Take | UnsetType = UNSET


class Ratio(Strict, kw_only=True):
    """A run of two engines in turns that another one of the same two was preferred to."""

    ratio: Positive
    low: Positive
    high: Positive
    warnings: list[Watched]


class Layers(Strict, kw_only=True, omit_defaults=True):
    """The milliseconds that layers of each kind take in two engines; {} where the backend does not tell."""

    first: dict[str, float] = field(default_factory=dict)
    second: dict[str, float] = field(default_factory=dict)


class Speedup(Strict, kw_only=True, tag_field="schema", tag=SCHEMA):
    """How many times as fast an INT8 engine is as its FP16 twin when they take turns, with a 95% interval.

    first_ms: of FP16, second_ms: of INT8. watch: None where that was not noted yet. aside: as a Speed's.
    """

    speedmap: str = __version__
    cell: Cell
    ratio: Positive
    low: Positive
    high: Positive
    rounds: Count
    first_ms: Positive
    second_ms: Positive
    artefact: Artefact
    twin: Artefact
    runs: list[Run]
    layers: Layers = field(default_factory=Layers)
    watch: Watch | None = None
    aside: Ratio | UnsetType = UNSET

    @property
    def warnings(self) -> list[Watched]:
        return self.watch.warnings if self.watch else []

    @property
    def disturbed(self) -> bool:
        """Return whether the runs were disturbed."""
        return any(isinstance(warning, Disturbance) for warning in self.warnings)


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
