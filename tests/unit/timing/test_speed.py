from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from helpers.record_factory import image
from speedmap.results.protocols import SpeedProtocol
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

    @contextmanager
    def watched():
        session.calls.append("watched")
        yield
        session.calls.append("no more")

    timed = speed.time_engine(session, *speed.load([("64x64", file)], 64, False), Protocol(0, 0, 5), watched())
    assert timed.samples_ms == [1.0] * 5
    run = ["occupy", "run"]  # first, to compile or capture, then to warm up
    assert session.calls == ["load 64x64", *run, *run, "watched", *run * 5, "no more"]


class Sized(Session):
    """Takes milliseconds by the input: its height, and how often that ran before."""

    def load(self, batch):
        self.height, self.times = batch.shape[2], iter(range(1000))

    def run(self):
        return self.height + next(self.times) / 100


def test_a_mix_of_shapes_has_a_median_of_each_and_is_no_drift(tmp_path):
    for name, shape in (("low.png", (32, 64, 3)), ("square.png", (64, 64, 3))):
        cv2.imwrite(str(tmp_path / name), np.zeros(shape, np.uint8))
    order = [("32x64", str(tmp_path / "low.png"))] * 3 + [("64x64", str(tmp_path / "square.png"))] * 3
    timed = speed.time_engine(Sized(), *speed.load(order, 64, True), Protocol(0, 0, 6), nullcontext())
    assert timed.shapes == ["32x64"] * 3 + ["64x64"] * 3
    assert timed.samples_ms == [32.01, 32.02, 32.03, 64.0, 64.01, 64.02]  # the first ran to warm up
    assert {shape: (of.count, of.median_ms) for shape, of in timed.per_shape.items()} == {
        "32x64": (3, 32.02),
        "64x64": (3, 64.01),
    }
    assert timed.summary.drift < 0.001


def test_images_follow_one_another_at_random_but_always_alike():
    listed = [image(f"{number}.jpg", number, (480, 640)) for number in range(50)]
    order = speed.sequence(listed, 640, True)
    assert order == speed.sequence(listed, 640, True)
    assert sorted(order) == sorted(("480x640", one.file) for one in listed) != order
    assert [file for _, file in order] != [one.file for one in listed]


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
    session = Slow(monkeypatch)
    phases = speed.time_phases(session, ["a.jpg"] * 60, 64, False, 0.25, 0.45)
    assert session.now == 100 + speed.PHASE_IMAGES * (32 + 31)
    taken = {name: getattr(phases, name) for name in ("letterbox", "load", "run", "fetch", "nms", "end_to_end")}
    assert taken == {"letterbox": 1e3, "load": 2e3, "run": 4e3, "fetch": 8e3, "nms": 16e3, "end_to_end": 31e3}
    assert phases.device == {"compute": 3.5}


def test_a_batch_is_timed_as_one_and_holds_the_first_images(tmp_path):
    for number in range(2):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((64, 64, 3), 100 * number, np.uint8))

    class Noting(Session):
        def load(self, batch):
            self.batch = batch

    session, order = Noting(), [("64x64", str(tmp_path / f"{number}.png")) for number in range(2)]
    timed = speed.time_engine(session, *speed.load(order, 64, False, 3), Protocol(0, 0, 5), nullcontext())
    assert session.batch.shape == (3, 3, 64, 64)
    assert session.batch.max((1, 2, 3)) == pytest.approx([0, 100 / 255, 0])
    assert timed.shapes == ["64x64"] * 5


@pytest.mark.parametrize(("asked", "batch", "runs"), [(200, 1, 200), (200, 4, 50), (200, 32, 30), (5, 32, 5)])
def test_a_batch_is_timed_for_as_many_images_but_not_fewer_than_thirty_times(asked, batch, runs):
    protocol = SpeedProtocol(conf=0.25, iou=0.45, warmup_s=0, min_s=3, min_samples=asked)
    assert speed.protocol_of(protocol, batch).min_samples == runs


def test_phases_of_a_batch_are_of_all_its_images(monkeypatch):
    session, detected = Slow(monkeypatch), []
    monkeypatch.setattr(speed.postprocess, "detect", lambda rows, *_: detected.append(rows))
    session.fetch = session.taking(8, np.zeros((4, 2, 6)))
    monkeypatch.setattr(speed.images, "letterbox", session.taking(1, np.zeros((1, 3, 64, 64), np.float32)))
    phases = speed.time_phases(session, ["a.jpg", "b.jpg"], 64, False, 0.25, 0.45, 4)
    assert (phases.letterbox, phases.load, phases.run, phases.fetch) == (4e3, 2e3, 4e3, 8e3)
    assert len(detected) == 4 * max(speed.LEAST_PHASES, speed.PHASE_IMAGES // 4)
