"""The records that are made from others: where figures come from, how they compare, what was published."""

from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType, field

from speedmap.results.environment import Images
from speedmap.results.protocols import AccuracyProtocol, SpeedProtocol
from speedmap.results.records import Record, Strict
from speedmap.results.timing_findings import Doubt, Watched
from speedmap.results.values import Number, Platform, Sha256


class Source(Strict, kw_only=True, omit_defaults=True):
    """The weights of a model in the config. onnx: the file that they are read from, where it is no checkpoint."""

    weights: str
    onnx: str | None = None
    url: str | None = None
    sha256: str | None = None


class Experiment(Strict, kw_only=True):
    """The part of a config that the table is made from: rows, columns, and what its foot says.

    batches: where others than 1 are measured.
    """

    models: dict[str, Source]
    precisions: list[str]
    shapes: list[str]
    torch: bool
    skip: list[str]
    imgsz: int
    accuracy: AccuracyProtocol
    speed: SpeedProtocol
    batches: list[int] | UnsetType = UNSET


class Machine(Strict, kw_only=True):
    """What figures were taken on."""

    cpu: str
    system: str
    versions: dict[str, str]


class Origin(Strict, kw_only=True, omit_defaults=True):
    """Where a figure comes from: when, how, by which code, and of which files."""

    measured: str
    protocol: dict[str, Number]
    code: str
    engine_sha256: str
    commit: str | None = None
    commit_from: str | None = None
    dirty: bool | None = None
    onnx_sha256: str | None = None
    weights_sha256: str | None = None


class Provenance(Record, kw_only=True):
    """All that one needs to take the same figures again, environment.json. watched: the setting of what was watched."""

    config: Experiment
    config_sha256: str
    machine: Machine
    watched: dict[str, Any]
    platforms: dict[str, Platform]
    datasets: dict[str, Images]
    figures: dict[str, Origin]


class Again(Record, kw_only=True):
    """What was measured again behind all others, again.json: what became of each record, in words, by its path."""

    seconds: Number
    cells: dict[str, str]


class Measured(Struct, frozen=True, kw_only=True):
    """A figure in the history, as in a Change, with its 95% interval.

    low, high: None where the error is unknown. valid: of its engine. quotable: of a speed; older lines do not say.
    """

    measured: str
    commit: str | None = None
    platform: Platform
    cell: str
    valid: bool
    figure: Literal["speed", "mAP"]
    value: float
    low: float | None
    high: float | None
    quotable: bool = True


class Change(Struct, frozen=True, forbid_unknown_fields=True):
    """What became of one figure: `speed` of a cell in milliseconds, or its `mAP` in fractions of 1.

    change: relative for speed, absolute for mAP; error: its standard error. None where a side is missing, the
    error also where it is unknown. Of a speed also the 95% interval of either median, and what its run warned of.
    """

    cell: str
    figure: Literal["speed", "mAP"]
    verdict: str
    before: float | None = None
    after: float | None = None
    change: float | None = None
    error: float | None = None
    before_interval: tuple[float, float] | None = None
    after_interval: tuple[float, float] | None = None
    before_warnings: list[Doubt | Watched] = []
    after_warnings: list[Doubt | Watched] = []


class Limits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From where a change counts: if it is also surer than noise, or, from the `_always` on, in any case.

    speed: relative to the median. map: absolute, fractions of 1.
    """

    speed: float
    speed_always: float
    map: float
    map_always: float


class Comparison(Record, kw_only=True):
    """A run held against a baseline, compare.json."""

    baseline: str
    limits: Limits
    versions: list[str]
    changes: list[Change]


class Manifest(Record, kw_only=True):
    """What a published folder is about.

    records: paths of the speed and accuracy records, in the order of the table. files: hashes of all that was
    published, by the paths in the folder; {} where that was not noted yet.
    """

    device: str
    backend: str
    version: str
    published: str
    commit: str | None
    objections: list[str]
    records: list[str]
    files: dict[str, Sha256] = field(default_factory=dict)
