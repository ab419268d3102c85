from contextlib import nullcontext
from pathlib import Path

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
