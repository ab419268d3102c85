"""The record of two engines that take turns, speedup.json."""

from msgspec import UNSET, UnsetType, field

from speedmap import __version__
from speedmap.results.cell import Cell
from speedmap.results.environment import Artefact, Run
from speedmap.results.records import SCHEMA, Strict
from speedmap.results.timing_findings import Disturbance, Watched
from speedmap.results.values import Count, Positive
from speedmap.results.watch import Watch


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

    openings: how often both were opened, with as many rounds each time. first_ms: of FP16, second_ms: of INT8;
    rounds_ms: of both in each round, [] where that was not kept yet. watch: None where that was not noted yet.
    aside: as a Speed's.
    """

    speedmap: str = __version__
    cell: Cell
    ratio: Positive
    low: Positive
    high: Positive
    rounds: Count
    openings: Count = 1
    first_ms: Positive
    second_ms: Positive
    rounds_ms: list[tuple[Positive, Positive]] = field(default_factory=list)
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
