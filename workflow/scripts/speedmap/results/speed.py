"""The record of a timed cell, speed.json."""

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType, field

from speedmap import __version__
from speedmap.results.audit import Audit
from speedmap.results.cell import Cell
from speedmap.results.environment import Artefact, Environment, Images, Opened, Run
from speedmap.results.findings import Finding
from speedmap.results.protocols import SpeedProtocol
from speedmap.results.records import SCHEMA, Strict
from speedmap.results.timing_findings import Disturbance, Doubt, Imprecise, Unwatched, Watched
from speedmap.results.values import Count, Positive, Shape, Time
from speedmap.results.watch import Watch


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
