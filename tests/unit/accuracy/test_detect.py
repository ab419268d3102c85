"""The pipeline around the engine sessions of the accuracy job."""

import threading
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from helpers.record_factory import dataset, image
from speedmap.accuracy import detect
from speedmap.dataset.letterbox import place
from speedmap.engines.interface import Backend
from speedmap.results.cell import Cell
from speedmap.results.environment import Opened
from speedmap.results.protocols import AccuracyProtocol

SIDE, COUNT = 64, 40
PROTOCOL = AccuracyProtocol(conf=0.1, iou=0.5, max_det=10)
LISTED = [image(number, number) for number in range(COUNT)]


class Session:
    """Finds one box as wide as its input is bright; refuses two threads at once."""

    def __init__(self, delay=0.0, fails=False):
        self.busy, self.delay, self.fails, self.threads = threading.Lock(), delay, fails, set()

    def load(self, batch):
        assert self.busy.acquire(blocking=False)
        self.batch = batch
        self.threads.add(threading.get_ident())

    def run(self):
        time.sleep(self.delay)
        if self.fails:
            self.busy.release()
            raise ValueError("out of memory")

    def fetch(self):
        width = float(self.batch.max())
        self.busy.release()
        return np.array([[[32, 32, width, 10, 0.9, 0.9]]], np.float32)


@pytest.fixture(autouse=True)
def bright(monkeypatch):
    """Make the image `7` of the value 8."""

    def load(path, imgsz, dynamic):
        return np.full((1, 3, SIDE, SIDE), int(path.name) + 1, np.float32), place(SIDE, SIDE, SIDE, False)

    monkeypatch.setattr(detect.images, "load", load)


def find(*sessions):
    return detect.detect_images(sessions, LISTED, SIDE, False, PROTOCOL, [1])


@pytest.mark.parametrize("delays", [[0.0], [0.0, 0.002], [0.002, 0.0, 0.001]])
def test_every_image_gets_its_own_boxes_in_the_order_of_the_images(delays):
    sessions = [Session(delay) for delay in delays]
    found = find(*sessions)
    assert [entry["image_id"] for entry in found] == list(range(COUNT))
    assert [entry["bbox"][2] for entry in found] == [min(number + 1, SIDE) for number in range(COUNT)]
    assert all(session.threads for session in sessions)


def test_one_session_stays_in_the_thread_that_opened_it():
    session = Session()
    find(session)
    assert session.threads == {threading.get_ident()}


@pytest.mark.parametrize("failing", [[True], [True, False], [True, True]])
def test_a_session_that_fails_ends_the_job(failing):
    raised = []

    def run():
        try:
            find(*(Session(fails=fails) for fails in failing))
        except ValueError as error:
            raised.append(str(error))

    job = threading.Thread(target=run, daemon=True)  # which a wait for a lost session would not end
    job.start()
    job.join(20)
    assert raised == ["out of memory"]


class Fake(Backend):
    """A backend of sessions that detect as above; opened: those that are open."""

    on_gpu = False

    def __init__(self):
        self.opened = []

    def platform(self):
        return {}

    @contextmanager
    def session(self, engine, cell):
        session = Session()
        session.facts = {"threads": len(self.opened)}
        self.opened.append(session)
        yield session
        self.opened.remove(session)


class Several(Fake):
    """One that gains by several sessions."""

    def sessions(self, engine, cell):
        return [self.session(engine, cell), self.session(engine, cell)]


@pytest.mark.parametrize("kind", [Fake, Several])
def test_a_backend_opens_as_many_sessions_as_it_gains_by_and_closes_them(kind):
    backend = kind()
    data = dataset(LISTED)
    cell = Cell("openvino", "tiny", "fp16", "static")
    results, opened = detect.detect(backend, cell, Path("engine"), data, SIDE, PROTOCOL)
    assert [entry["image_id"] for entry in results] == list(range(COUNT))
    assert opened == Opened(threads=0)
    assert backend.opened == []


def test_boxes_are_of_the_image_and_not_of_the_padded_input(monkeypatch):
    def load(path, imgsz, dynamic):
        return np.full((1, 3, SIDE, SIDE), 20, np.float32), place(SIDE, 2 * SIDE, SIDE, False)

    monkeypatch.setattr(detect.images, "load", load)
    (entry,) = detect.detect_images([Session()], LISTED[:1], SIDE, False, PROTOCOL, [17])
    assert entry["bbox"] == [44, 22, 40, 20]  # twice as large as in the input, whose upper 16 rows are padding
    assert entry["category_id"] == 17
    assert entry["score"] == pytest.approx(0.81)
