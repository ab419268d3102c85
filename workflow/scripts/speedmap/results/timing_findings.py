"""What was found out about a timing that its reader must know: by its samples, and by the watch beside it."""

from typing import Literal

from speedmap.results.findings import Finding


class Disturbance(Finding, frozen=True):
    """A run that was off by itself, whatever its engine."""


class Imprecise(Finding, frozen=True):
    """A median that its samples do not tell well."""


class Unwatched(Finding, frozen=True):
    """A run of which nobody knows whether anything disturbed it."""


class Unstable(Disturbance, frozen=True):
    """A run that another one may do better than."""


class HalvesDiffer(Unstable, frozen=True):
    """change: between the medians of the first and the second half, relative."""

    change: float


class TwoLevels(Unstable, frozen=True):
    """apart: distance of the levels, relative to the median. lower: share of the run on the lower one."""

    apart: float
    lower: float


class WideInterval(Imprecise, frozen=True):
    """half: half of the median's interval, relative."""

    half: float


class ShapeGap(Imprecise, frozen=True):
    """gap: between the levels of two input shapes that the median lies at, relative."""

    gap: float


class WatcherDied(Unwatched, frozen=True):
    """The machine was not watched to the end."""

    error: str


class NoSamples(Unwatched, frozen=True):
    """The machine was not watched at all."""


class Throttled(Disturbance, frozen=True):
    """reason: as NVML names it."""

    reason: str


class ClockChanged(Disturbance, frozen=True):
    """low, high: in MHz. limit: share of the median that it may leave that by."""

    clock: Literal["sm", "memory"]
    low: int
    high: int
    limit: float


class ForeignProcess(Disturbance, frozen=True):
    """Another process was on the GPU. name: of its executable, "" where nobody tells."""

    pid: int
    name: str = ""


class OthersUsedCpu(Disturbance, frozen=True):
    """share: of all processors."""

    share: float


class OtherGpusBusy(Finding, frozen=True):
    """share: of the time that the busiest other GPU of the host was at work.

    No disturbance by itself: what it could do to a run, by heat, power or processors, is watched on its own.
    """

    share: float


class NotWatched(Finding, frozen=True):
    """A counter that this GPU or virtual machine does not tell."""

    counter: Literal["SM clock", "throttle reasons", "processes"]


Doubt = HalvesDiffer | TwoLevels | WideInterval | ShapeGap
Watched = (
    WatcherDied | NoSamples | Throttled | ClockChanged | ForeignProcess | OthersUsedCpu | OtherGpusBusy | NotWatched
)
