"""What the samples of a watched run say against its figures."""

from collections import defaultdict
from statistics import mean, median
from typing import Any

from msgspec import UNSET

from speedmap.machine.sample import Sample
from speedmap.results.timing_findings import (
    ClockChanged,
    ForeignProcess,
    NoSamples,
    NotWatched,
    OtherGpusBusy,
    OthersUsedCpu,
    Throttled,
    Watched,
    WatcherDied,
)

CHANGE = 0.05  # of the median clock: roboflow's and NVIDIA's tools, too, doubt a run beyond this
BUSY = 0.05  # of all CPUs, taken by other processes, or of the time of a GPU beside the timed one
CROWDED = 0.5  # of all CPUs beside a GPU: until then a core is free for the thread that launches

THROTTLES = {"sw power cap", "hw slowdown", "sw thermal slowdown", "hw thermal slowdown", "hw power brake"}


def verdict(
    samples: list[Sample], alive: bool, error: str | None, own: int | None, names: dict[str, str] | None = None
) -> list[Watched]:
    """Return what may have disturbed a run, [] for nothing.

    samples: in time order. alive, error: whether the watch lasted to the end, and why not. own: the process that was
    timed, None where none was. names: of the processes' executables, by number.
    """
    warnings = [] if alive else [WatcherDied(error) if error else NoSamples()]
    warnings += [Throttled(reason) for reason in sorted(reasons(samples) & THROTTLES)]
    warnings += [_changed(samples, clock) for clock in ("sm", "memory")]
    warnings += [ForeignProcess(pid, (names or {}).get(str(pid), "")) for pid in foreign(samples, own)]
    warnings += [_crowded(samples), _beside(samples), *_blind(samples)]
    return [warning for warning in warnings if warning]


def reasons(samples: list[Sample]) -> set[str]:
    """Return why clocks were held down at any time, as NVML names it."""
    return {reason for sample in samples for reason in sample.reasons or ()}


def _told(samples: list[Sample], counter: str) -> list[Any]:
    """List what a counter said, without the samples in which it said nothing."""
    values = (getattr(sample, counter) for sample in samples)
    return [value for value in values if value is not None and value is not UNSET]


def _changed(samples: list[Sample], clock: str) -> ClockChanged | None:
    """Return that a clock left its median by more than CHANGE while the GPU had work; idle moments do not count."""
    busy = [sample for sample in samples if "gpu idle" not in (sample.reasons or ())] or samples
    clocks = [mhz for mhz in _told(busy, f"{clock}_mhz") if mhz]
    if not clocks:
        return None
    middle = median(clocks)
    if max(abs(each - middle) for each in clocks) <= CHANGE * middle:
        return None
    return ClockChanged(clock, min(clocks), max(clocks), CHANGE)


def foreign(samples: list[Sample], own: int | None) -> list[int]:
    """Return the processes on the GPU that are not the one that was timed.

    In a container NVML numbers processes as the host does, so that the own one cannot be told by its number: one
    single process that was there in every sample with any is then taken for it.
    """
    lists = [pids for pids in _told(samples, "pids") if pids]  # it is none before it opens an engine
    seen = {pid for pids in lists for pid in pids}
    if own is None or own in seen:
        return sorted(seen - {own})
    always = set(lists[0]).intersection(*lists) if lists else set()
    return sorted(seen - always) if len(always) == 1 else sorted(seen)


def _crowded(samples: list[Sample]) -> OthersUsedCpu | None:
    shares = _told(samples, "others_share")
    share = mean(shares) if shares else 0.0
    limit = CROWDED if any(sample.pids is not UNSET for sample in samples) else BUSY
    return OthersUsedCpu(share) if share > limit else None


def neighbours(samples: list[Sample]) -> dict[str, float]:
    """Return the mean share 0..1 of the time that each other GPU of the host was busy, by its index."""
    lists = defaultdict(list)
    for sample in samples:
        for index, percent in (sample.neighbours or {}).items():
            if percent is not None:
                lists[index].append(percent / 100)
    return {index: round(mean(shares), 3) for index, shares in lists.items()}


def _beside(samples: list[Sample]) -> OtherGpusBusy | None:
    busy = max(neighbours(samples).values(), default=0.0)
    return OtherGpusBusy(busy) if busy > BUSY else None


def _blind(samples: list[Sample]) -> list[NotWatched]:
    """Return the counters without which a throttle or a second process would go unseen."""
    needed = {"sm_mhz": "SM clock", "reasons": "throttle reasons", "pids": "processes"}
    asked = [key for key in needed if any(getattr(sample, key) is not UNSET for sample in samples)]
    blind = [key for key in asked if not _told(samples, key)]
    if "pids" in asked and "pids" not in blind and not any(sample.pids for sample in samples):
        blind.append("pids")  # the timed process itself is one, so an empty list shows nothing
    return [NotWatched(needed[key]) for key in blind]
