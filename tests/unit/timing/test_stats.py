"""What a run's own samples say against it, and whether its interval holds the truth."""

import json
import random
from contextlib import nullcontext
from pathlib import Path

import cv2
import jsonschema
import numpy as np
import pytest
import yaml

from speedmap.engines import null
from speedmap.machine.monitor import Watch
from speedmap.results import metadata, records
from speedmap.results.cell import Cell
from speedmap.timing import speed, stats
from speedmap.timing.protocol import Protocol

CELL = Cell("null", "yolov5n", "fp32", "static")
PROTOCOL = {"warmup_s": 0, "min_s": 0, "min_samples": 400, "conf": 0.25, "iou": 0.45}
QUIET = {"cpu_mhz": 2000.0, "others_share": 0.0}


class Source:
    """A machine that can be watched: it shows one sample again and again, and dies at a given one."""

    def __init__(self, sample=QUIET, dies=False):
        self.shown, self.dies = sample, dies

    def setting(self):
        return {}

    def sample(self):
        if self.dies:
            raise OSError("lost")
        return self.shown


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    file = tmp_path_factory.mktemp("images") / "grey.png"
    cv2.imwrite(str(file), np.full((32, 32, 3), 114, np.uint8))
    image = {"id": 1, "file": str(file), "height": 32, "width": 32}
    return {"name": "grey", "sha256": "0" * 64, "images": [image], "calibration": []}


@pytest.fixture
def measured(data, tmp_path, monkeypatch):
    def measure(source=None, protocol=PROTOCOL, **script):
        monkeypatch.setattr(speed, "watch", lambda gpu: Watch(source or Source(), period_s=0.001))
        engine = Path(tmp_path, "engine")
        engine.write_text(json.dumps({"median_ms": 5.0, **script}))
        return speed.measure(null.Null(), CELL, engine, data, 32, protocol, None)

    return measure


def test_a_drift_is_caught(measured):
    assert any("halves" in text for text in measured(drift=0.08)["warnings"])


def test_a_bimodal_clock_is_caught(measured):
    assert any("two levels" in text for text in measured(slow=0.08)["warnings"])


def test_a_foreign_process_is_caught(measured):
    gpu = {"sm_mhz": 1980, "memory_mhz": 2619, "reasons": [], "pids": [1, 2]}
    assert "foreign process on the GPU: 1" in measured(Source(gpu))["warnings"]
    assert any("other processes" in text for text in measured(Source({**QUIET, "others_share": 0.4}))["warnings"])


def test_a_dead_watcher_is_caught(measured):
    assert "watcher died: OSError('lost')" in measured(Source(dies=True))["warnings"]


def test_noise_that_hides_the_median_is_named(measured):
    assert any("imprecise" in text for text in measured(noise=0.6)["warnings"])


@pytest.mark.parametrize("noise", [0.001, 0.02, 0.05])
def test_a_clean_run_is_not_marked(measured, noise):
    assert sum(bool(measured(noise=noise, seed=seed)["warnings"]) for seed in range(100)) <= 1


def test_an_unstable_run_is_taken_once_more_and_then_kept(measured):
    record = measured(drift=0.08)
    with pytest.raises(speed.Unstable, match="halves"):
        speed.demand_stable(record, 1)
    speed.demand_stable(record, 2)
    speed.demand_stable(measured(), 1)


def test_the_record_meets_its_schema(measured):
    schema = yaml.safe_load((Path(__file__).parents[3] / "workflow/schemas/speed.schema.yaml").read_text())
    built = {"engine_sha256": "0" * 64}
    record = metadata.complete(measured(), CELL, null.Null().platform(), built, PROTOCOL, "0" * 12)
    jsonschema.validate({"schema": 1, **record}, schema)


def test_one_sample_makes_a_record(measured, tmp_path):
    record = measured(protocol={**PROTOCOL, "min_samples": 1})
    records.write(tmp_path / "speed.json", record)
    assert (record["summary"]["count"], record["summary"]["drift"]) == (1, 0.0)


class Levels(null.Session):
    """Takes half as long again for an input that is not square."""

    def load(self, batch):
        self.script["median_ms"] = 4.0 if batch.shape[2] == batch.shape[3] else 6.0


@pytest.mark.parametrize(
    ("square", "wide", "marked"), [(64, 64, True), (51, 49, True), (60, 40, False), (30, 98, False), (0, 128, False)]
)
def test_a_median_between_the_levels_of_a_mix_is_marked(tmp_path, square, wide, marked):
    for name, width in (("square", 64), ("wide", 128)):
        cv2.imwrite(str(tmp_path / f"{name}.png"), np.full((64, width, 3), 114, np.uint8))
    (tmp_path / "engine").write_text(json.dumps({"median_ms": 4.0}))
    names = random.Random(0).sample(["square"] * square + ["wide"] * wide, square + wide)
    order = [(name, str(tmp_path / f"{name}.png")) for name in names]
    with Levels(tmp_path / "engine", CELL) as session:
        measured = speed.time_engine(session, order, 64, True, Protocol(0, 0, 400), nullcontext())
    assert bool(measured["doubts"]) == marked
    assert not any(doubt.startswith(stats.UNSTABLE) for doubt in measured["doubts"])
    assert measured["summary"]["count"] % len(order) == 0


def test_static_input_takes_no_more_samples_than_asked_for(data, tmp_path):
    (tmp_path / "engine").write_text(json.dumps({"median_ms": 4.0}))
    order = [("32x32", data["images"][0]["file"])] * 300
    with null.Session(tmp_path / "engine", CELL) as session:
        measured = speed.time_engine(session, order, 32, False, Protocol(0, 0, 400), nullcontext())
    assert measured["summary"]["count"] == 400


def test_outliers_are_no_second_level():
    values = np.random.default_rng(0).normal(5, 0.05, 400)
    values[::25] += 3
    assert stats.doubts(values) == []


def series(random, count, memory):
    """Latencies around a median of 5, each like the one before to the degree of `memory`."""
    steps, value = random.normal(0, np.sqrt(1 - memory**2), count), random.normal()
    noise = [value := memory * value + step for step in steps]
    return 5 * np.exp(0.05 * np.array(noise))


@pytest.mark.parametrize(("count", "memory"), [(200, 0.0), (500, 0.0), (500, 0.5), (2000, 0.7)])
def test_the_interval_holds_the_median_95_times_in_100(count, memory):
    random = np.random.default_rng(4)
    intervals = [stats.interval(series(random, count, memory)) for _ in range(1000)]
    assert 0.93 <= np.mean([low <= 5 <= high for low, high in intervals]) <= 0.97


def test_the_interval_of_a_skewed_run_holds_its_median():
    random, middle = np.random.default_rng(5), 5 + np.log(2)
    intervals = [stats.interval(5 + random.exponential(1, 300)) for _ in range(1000)]
    assert 0.93 <= np.mean([low <= middle <= high for low, high in intervals]) <= 0.97


@pytest.mark.parametrize("count", [1, 2, 3, 10])
def test_few_samples_have_an_interval_of_themselves(count):
    values = list(range(1, count + 1))
    low, high = stats.interval(values)
    assert 1 <= low <= np.median(values) <= high <= count
    assert stats.interval([2.0] * count) == (2.0, 2.0)


@pytest.mark.parametrize(("count", "known"), [(63, (False, False)), (64, (True, False)), (662, (True, True))])
def test_tails_need_samples(count, known):
    found = stats.summary(list(range(1, count + 1)))
    assert (found["p90_ms"] is not None, found["p99_ms"] is not None) == known
