"""How the machine was while it was timed on."""

from typing import Any, Literal

from msgspec import field

from speedmap.results.records import Strict
from speedmap.results.timing_findings import Watched
from speedmap.results.values import Number, Positive


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

    @property
    def driver(self) -> str | None:
        """The GPU's driver, None where no GPU was watched."""
        return self.setting.get("driver")
