"""What a run's own samples say against it, and whether its interval holds the truth."""

import json
import random
from contextlib import nullcontext
from pathlib import Path

import cv2
import numpy as np
import pytest
from msgspec import structs

from helpers.record_factory import RUN, SHA, dataset, environment, image
from speedmap.engines import null
from speedmap.machine.monitor import Watch
from speedmap.machine.sample import Sample
from speedmap.results import metadata, records
from speedmap.results.cell import Cell
from speedmap.results.environment import Artefact
from speedmap.results.protocols import SpeedProtocol
from speedmap.results.speed import Speed
from speedmap.results.timing_findings import (
    ForeignProcess,
    HalvesDiffer,
    OthersUsedCpu,
    TwoLevels,
    Unstable,
    WatcherDied,
    WideInterval,
)
from speedmap.timing import speed, stats
from speedmap.timing.protocol import Protocol

CELL = Cell("null", "yolov5n", "fp32", "static")
PROTOCOL = SpeedProtocol(warmup_s=0, min_s=0, min_samples=400, conf=0.25, iou=0.45)
QUIET = Sample(cpu_mhz=2000.0, others_share=0.0)


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
    return dataset([image(file, 1, (32, 32))])


@pytest.fixture
def measured(data, tmp_path, monkeypatch):
    def measure(source=None, protocol=PROTOCOL, backend=None, **script):
        monkeypatch.setattr(speed, "watch", lambda gpu: Watch(source or Source(), period_s=0.001))
        engine = Path(tmp_path, "engine")
        engine.write_text(json.dumps({"median_ms": 5.0, **script}))
        return speed.measure(backend or null.Null(), CELL, engine, data, 32, protocol, None)

    return measure


def kinds(timed):
    return set(map(type, timed.warnings))


def test_a_drift_is_caught(measured):
    assert kinds(measured(drift=0.08)) & {HalvesDiffer}


def test_a_bimodal_clock_is_caught(measured):
    assert kinds(measured(slow=0.08)) & {TwoLevels}


def test_a_foreign_process_is_caught(measured):
    gpu = Sample(sm_mhz=1980, memory_mhz=2619, reasons=[], pids=[1, 2])
    assert ForeignProcess(1) in measured(Source(gpu)).warnings
    assert OthersUsedCpu(0.4) in measured(Source(structs.replace(QUIET, others_share=0.4))).warnings


def test_a_dead_watcher_is_caught(measured):
    assert WatcherDied("OSError('lost')") in measured(Source(dies=True)).warnings


def test_noise_that_hides_the_median_is_named(measured):
    assert kinds(measured(noise=0.6)) & {WideInterval}


@pytest.mark.parametrize("noise", [0.001, 0.02, 0.05])
def test_a_clean_run_is_not_marked(measured, noise):
    assert sum(bool(measured(noise=noise, seed=seed).warnings) for seed in range(100)) <= 1


def test_other_ways_to_run_an_engine_are_timed_beside_it(measured, tmp_path):
    class TwoWays(null.Null):
        def alternatives(self):
            return {"graph": lambda engine, cell: null.Session(tmp_path / "faster", cell)}

    (tmp_path / "faster").write_text(json.dumps({"median_ms": 2.0}))
    timed = measured(backend=TwoWays())
    assert timed.summary.median_ms == pytest.approx(5.0, rel=0.01)
    assert timed.alternatives["graph"].median_ms == pytest.approx(2.0, rel=0.01)


def completed(timed):
    """Make a record of what was timed."""
    facts = {name: value for name, value in structs.asdict(environment()).items() if name != "code"}
    run, artefact = structs.asdict(RUN), Artefact(engine_sha256=SHA)
    return metadata.complete(Speed, timed, CELL, PROTOCOL, artefact, facts, "0" * 12, run)


def test_the_record_meets_its_schema(measured, tmp_path):
    record = completed(measured(drift=0.08))
    records.write(tmp_path / "speed.json", record)
    assert records.read(tmp_path / "speed.json", Speed) == record


def test_one_sample_makes_a_record(measured, tmp_path):
    timed = measured(protocol=structs.replace(PROTOCOL, min_samples=1))
    records.write(tmp_path / "speed.json", completed(timed))
    assert (timed.summary.count, timed.summary.drift) == (1, 0.0)


class Levels(null.Session):
    """Takes half as long again for an input that is not square."""

    def load(self, batch):
        self.script = structs.replace(self.script, median_ms=4.0 if batch.shape[2] == batch.shape[3] else 6.0)


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
        measured = speed.time_engine(session, *speed.load(order, 64, True), Protocol(0, 0, 400), nullcontext())
    assert bool(measured.doubts) == marked
    assert not any(isinstance(doubt, Unstable) for doubt in measured.doubts)
    assert measured.summary.count % len(order) == 0


def test_static_input_takes_no_more_samples_than_asked_for(data, tmp_path):
    (tmp_path / "engine").write_text(json.dumps({"median_ms": 4.0}))
    order = [("32x32", data.images[0].file)] * 300
    with null.Session(tmp_path / "engine", CELL) as session:
        measured = speed.time_engine(session, *speed.load(order, 32, False), Protocol(0, 0, 400), nullcontext())
    assert measured.summary.count == 400


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


@pytest.mark.parametrize(
    ("count", "known"), [(63, (False, False)), (64, (True, False)), (661, (True, False)), (662, (True, True))]
)
def test_tails_need_samples(count, known):
    summed = stats.summary(list(range(1, count + 1)), 0.0)
    assert (summed.p90_ms is not None, summed.p99_ms is not None) == known


def test_a_summary_is_of_the_quantiles_that_it_names():
    summed = stats.summary([*range(1000, -1, -1)], 0.0)
    told = summed.count, summed.min_ms, summed.mean_ms, summed.median_ms, summed.p90_ms, summed.p99_ms
    assert told == (1001, 0, 500, 500, 900, 990)
