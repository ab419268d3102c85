"""Watch the machine while something is timed on it, and say what may have disturbed it."""

import os
import threading
import time
from typing import Any

from msgspec import structs, to_builtins

from speedmap.machine.cpu_counters import CpuSource
from speedmap.machine.disturbances import foreign, neighbours, reasons, verdict
from speedmap.machine.energy import energy
from speedmap.machine.gpu_counters import GpuSource
from speedmap.machine.nvml import NoGpu
from speedmap.machine.sample import Sample
from speedmap.results.watch import Watch as WatchRecord

PERIOD_S = 0.1  # NVML itself refreshes most counters no faster
KEPT = 60  # samples that go into the record, evenly taken from all


class Watch:
    """Samples a source in a thread between entering and leaving; `result` then holds all that a record needs.

    source: has `setting()` and `sample()`. A source that fails ends the watch, and the result says so. timed: whether
    this process is what runs; else all on the GPU are others.
    """

    def __init__(self, source: Any, period_s: float = PERIOD_S, timed: bool = True) -> None:
        self._source, self._period = source, period_s
        self._own = os.getpid() if timed else None
        self._samples: list[Sample] = []
        self._stop, self._error = threading.Event(), None
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self.result: WatchRecord

    def __enter__(self) -> "Watch":
        self._start = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        seconds = time.monotonic() - self._start
        self._stop.set()
        self._thread.join(10)
        alive = self._error is None and not self._thread.is_alive() and bool(self._samples)
        self.result = summarize(list(self._samples), self._asked("setting"), alive, self._error, self._own)
        self.result.busiest = self._asked("busiest") if alive else {}
        self.result.energy = energy(self._samples, seconds)

    def _run(self) -> None:
        try:
            while True:
                sample = self._source.sample()
                self._samples.append(structs.replace(sample, at_s=round(time.monotonic() - self._start, 3)))
                if self._stop.wait(self._period):
                    return
        except Exception as error:  # whatever ends the watch is said in the record, never lost with the thread
            self._error = repr(error)

    def _asked(self, what: str) -> dict[str, Any]:
        try:
            return getattr(self._source, what)()
        except Exception as error:
            return {"error": repr(error)} if what == "setting" else {}


def watch(gpu: bool = True, timed: bool = True) -> Watch:
    """Watch the GPU if that is what runs and NVML sees one, else the CPU; `timed`: see Watch."""
    try:
        return Watch(GpuSource() if gpu else CpuSource(), timed=timed)
    except NoGpu:
        return Watch(CpuSource(), timed=timed)


def summarize(
    samples: list[Sample], setting: dict, alive: bool, error: str | None, own: int | None = None
) -> WatchRecord:
    """Join samples into a record: extremes of every counter, reasons, foreign processes, warnings, thinned samples."""
    plain = [to_builtins(sample) for sample in samples]
    keys = sorted({key for sample in plain for key in sample} - {"at_s"})
    ranges = {key: span for key in keys if (span := _span(plain, key))}
    step = max(1, -(-len(samples) // KEPT))
    return WatchRecord(
        alive=alive,
        error=error,
        setting=setting,
        count=len(samples),
        ranges=ranges,
        untold=[key for key in keys if all(sample.get(key) is None for sample in plain)],
        reasons=sorted(reasons(samples)),
        neighbours=neighbours(samples),
        foreign_pids=foreign(samples, own),
        warnings=verdict(samples, alive, error, own, setting.get("processes")),
        samples=plain[::step],
    )


def _span(samples: list[dict], key: str) -> tuple[float, float] | None:
    values = [sample[key] for sample in samples if isinstance(sample.get(key), int | float)]
    return (min(values), max(values)) if values else None
