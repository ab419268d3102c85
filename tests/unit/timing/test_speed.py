from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from speedmap.timing import speed
from speedmap.timing.protocol import Protocol


class Session:
    """Notes what it is asked for."""

    def __init__(self):
        self.calls = []

    def load(self, batch):
        self.calls.append(f"load {batch.shape[2]}x{batch.shape[3]}")

    def occupy(self):
        self.calls.append("occupy")

    def run(self):
        self.calls.append("run")
        return 1.0


def test_the_device_is_busy_before_each_timed_run_and_input_is_loaded_when_its_shape_changes():
    session, file = Session(), str(next(Path("sample/images").glob("*.jpg")))
    timed = speed.time_engine(session, [("64x64", file)], 64, False, Protocol(0, 0, 5), nullcontext())
    assert timed.samples_ms == [1.0] * 5
    assert session.calls == ["load 64x64", *["occupy", "run"] * 7]


class Slow:
    """A session whose calls take seconds of a clock that stands still otherwise; it measures a part of a run itself."""

    def __init__(self, monkeypatch):
        self.now, self.last = 100.0, {"compute": 3.5}
        monkeypatch.setattr(speed, "time", SimpleNamespace(perf_counter=lambda: self.now))
        monkeypatch.setattr(speed.images, "read", self.taking(32, np.zeros((64, 64, 3), np.uint8)))
        monkeypatch.setattr(speed.images, "letterbox", self.taking(1))
        monkeypatch.setattr(speed.postprocess, "detect", self.taking(16))
        self.load, self.run, self.fetch = self.taking(2), self.taking(4, 4000.0), self.taking(8, [None])

    def taking(self, seconds, result=None):
        def call(*_arguments):
            self.now += seconds
            return result

        return call


def test_phases_are_told_apart_in_milliseconds_and_reach_from_letterbox_to_nms(monkeypatch):
    phases = speed.time_phases(Slow(monkeypatch), ["a.jpg"] * 3, 64, False, 0.25, 0.45)
    taken = {name: getattr(phases, name) for name in ("letterbox", "load", "run", "fetch", "nms", "end_to_end")}
    assert taken == {"letterbox": 1e3, "load": 2e3, "run": 4e3, "fetch": 8e3, "nms": 16e3, "end_to_end": 31e3}
    assert phases.device == {"compute": 3.5}
