import json

import numpy as np
import pytest

import measure_speedup
from helpers.record_factory import dataset, engine, watch
from speedmap import storage
from speedmap.engines import null
from speedmap.machine import gpu_lease
from speedmap.results import records
from speedmap.results.cell import Cell
from speedmap.results.speedup import Layers, Speedup
from speedmap.results.timing_findings import OtherGpusBusy, OthersUsedCpu, Throttled
from speedmap.timing import alternating


def session(folder, name, **script):
    engine = folder / name
    engine.write_text(json.dumps(script))
    return null.Session(engine, Cell("null", "m", name, "static"))


def test_the_speedup_of_two_engines_lies_in_its_interval(tmp_path):
    batches = {"64x64": np.zeros((1, 3, 64, 64), np.float32), "64x32": np.zeros((1, 3, 64, 32), np.float32)}
    slow, fast = (session(tmp_path, name, median_ms=ms, seed=ms) for name, ms in (("fp16", 22), ("int8", 20)))
    runs = [alternating.runner(each, batches) for each in (slow, fast)]
    result = alternating.speedup(alternating.alternate(*runs, list(batches), rounds=20, runs=10))
    assert result["low"] <= result["ratio"] <= result["high"]
    assert result["ratio"] == pytest.approx(1.1, rel=0.01)
    assert (result["first_ms"], result["second_ms"]) == pytest.approx((22, 20), rel=0.01)
    assert result["rounds"] == 20


def test_engines_take_turns_in_both_orders_on_the_same_inputs():
    calls = []

    def first(name):
        calls.append(("first", name))
        return 2.0

    def second(name):
        calls.append(("second", name))
        return 1.0

    pairs = alternating.alternate(first, second, ["a", "b"], rounds=2, runs=1)
    assert pairs == [(2.0, 1.0), (2.0, 1.0)]  # and one more that is not counted
    turns = [name for name, item in calls if item == "a"]
    assert turns == ["second", "first", "first", "second", "second", "first"]
    assert [item for _, item in calls] == ["a", "b"] * 6


def test_the_round_that_does_not_count_is_the_first():
    rounds = iter([9.0, 1.0, 2.0])
    pairs = alternating.alternate(lambda name: 5.0, lambda name: next(rounds), ["a"], 2, 1)
    assert pairs == [pytest.approx((5, 1)), pytest.approx((5, 2))]


def test_each_input_counts_the_same_in_the_ratio():
    first, second = {"a": 1.0, "b": 2.0, "c": 9.0}, {"a": 1.0, "b": 2.0, "c": 1.125}
    pairs = alternating.alternate(first.__getitem__, second.__getitem__, list(first), rounds=10, runs=7)
    assert alternating.speedup(pairs)["ratio"] == pytest.approx(2)  # 1, 1 and 8 times as fast


def test_a_drift_that_both_share_does_not_count():
    drifting = iter(np.linspace(1, 3, 400))

    def run(factor):
        return lambda name: factor * level[0]

    level = [1.0]

    def slower(name):
        level[0] = next(drifting)
        return 1.2 * level[0]

    result = alternating.speedup(alternating.alternate(slower, run(1.0), ["a"], rounds=20, runs=5))
    assert result["ratio"] == pytest.approx(1.2, rel=0.05)


def test_a_difference_beyond_the_noise_is_told_from_none():
    random = np.random.default_rng(0)
    same = alternating.speedup([(1 + 0.02 * random.normal(), 1 + 0.02 * random.normal()) for _ in range(40)])
    faster = alternating.speedup([(1.1 + 0.02 * random.normal(), 1 + 0.02 * random.normal()) for _ in range(40)])
    assert same["low"] < 1 < same["high"]
    assert faster["low"] > 1


def test_openings_that_differ_make_the_interval():
    """A single opening cannot tell of others; that of several is Student's, which few of a normal distribution ask."""
    random = np.random.default_rng(0)
    pairs = [(level + 0.001 * random.normal(), 1.0) for level in (0.94, 0.94, 0.94, 0.98) for _ in range(10)]
    result, blind = alternating.speedup(pairs, 4), alternating.speedup(pairs[:10])
    assert result["ratio"] == pytest.approx(0.95, abs=0.001)  # the median of all rounds is 0.94
    assert (result["low"], result["high"]) == pytest.approx((0.95 - 3.182 * 0.01, 0.95 + 3.182 * 0.01), abs=0.002)
    assert blind["high"] - blind["low"] < 0.005
    assert result["rounds"] == 40


def test_of_several_openings_the_interval_holds_the_truth_as_often_as_it_says():
    random, held = np.random.default_rng(0), 0
    for _ in range(400):
        levels = 1 + 0.01 * random.normal(size=4)
        result = alternating.speedup([(level, 1.0) for level in levels for _ in range(3)], 4)
        held += result["low"] <= 1 <= result["high"]
    assert 0.92 < held / 400 < 0.98


class Watching:
    """What watches in place of the machine's own watch, and sees some warnings."""

    def __init__(self, begin, *warnings):
        self.begin, self.result = begin, watch(*warnings)

    def __enter__(self):
        self.begin()
        return self

    def __exit__(self, *error):
        pass


class Noted(null.Null):
    """Notes when engines are opened and run, and when the watch over that begins."""

    def __init__(self):
        self.events = []

    def session(self, engine, cell):
        note = self.events.append

        class Session(null.Session):
            def __enter__(self):
                note(f"open {engine.name}")
                return super().__enter__()

            def run(self):
                note(f"run {engine.name}")
                return super().run()

        return Session(engine, cell)

    def watch(self, on_gpu):
        return Watching(lambda: self.events.append("watch"))


def test_engines_are_opened_in_either_order_and_watched_from_when_they_have_run(tmp_path, monkeypatch):
    for name, ms in (("twin", 50), ("engine", 1)):
        (tmp_path / name).write_text(json.dumps({"median_ms": ms, "noise": 0}))
    backend, cell = Noted(), Cell("null", "m", "int8", "static")
    monkeypatch.setattr(alternating, "watch", backend.watch)
    found = alternating.measure(backend, cell, tmp_path / "engine", tmp_path / "twin", ["64x64"], 2.0)
    assert [event for event in backend.events if event.startswith("open")] == [
        f"open {name}" for name in ["engine", "twin", "twin", "engine"] * 2
    ]
    assert backend.events.index("watch") > backend.events.index("run twin")
    assert (found["openings"], found["rounds"], found["ratio"]) == (4, 40, 50)
    # Half a second an opening: ten rounds of one run, and one that does not count; two runs told how many.
    assert backend.events.count("run twin") == 2 + 4 * (10 + 1)


@pytest.mark.parametrize(
    ("ms", "seconds", "expected"),
    [
        ({"a": 4.0, "b": 6.0}, 1, (10, 20)),  # 100 ms a turn, of runs of 5 ms
        ({"a": 4.0, "b": 6.0}, 25, (10, 50)),
        ({"a": 40.0, "b": 60.0}, 0.5, (5, 2)),
        ({"a": 400.0, "b": 600.0}, 0.5, (3, 1)),
    ],
)
def test_engines_run_for_the_seconds_given_in_enough_rounds(ms, seconds, expected):
    quick = {name: value / 2 for name, value in ms.items()}
    assert alternating.turns([quick.__getitem__, ms.__getitem__], list(ms), seconds) == expected


def watched(*warnings):
    """Return what watches in place of the machine's own watch, and sees some warnings."""
    return lambda on_gpu: Watching(lambda: None, *warnings)


@pytest.mark.parametrize(
    ("warnings", "told"),
    [
        ((), True),
        ((OtherGpusBusy(0.9),), True),
        ((OthersUsedCpu(0.5),), False),
        ((Throttled("sw power cap"),), True),  # by the engine itself
        ((Throttled("hw thermal slowdown"),), False),
    ],
)
def test_the_step_writes_a_record_of_both_engines(tmp_path, monkeypatch, warnings, told):
    monkeypatch.setattr(gpu_lease, "candidates", list)
    monkeypatch.setattr(alternating, "watch", watched(*warnings))
    inputs = {"image_set": tmp_path / "images.json"}
    records.write(inputs["image_set"], dataset(shapes={"64x64": 3, "32x64": 1}).image_set())
    for name, ms in (("twin", 22), ("engine", 20)):
        inputs[name], inputs[f"{name}_record"] = tmp_path / name, tmp_path / f"{name}.json"
        inputs[name].write_text(json.dumps({"median_ms": ms, "seed": ms, "layers": {"Conv": ms}}))
        records.write(inputs[f"{name}_record"], engine(digest=storage.sha256(inputs[name])))
    cell = Cell("null", "m", "int8", "dynamic")
    measure_speedup.measure_speedup(cell, **inputs, imgsz=64, seconds=0.1, out=tmp_path / "speedup.json")
    record = records.read(tmp_path / "speedup.json", Speedup)
    assert record.ratio == pytest.approx(1.1, rel=0.02)
    assert alternating.speedup(record.rounds_ms, record.openings)["ratio"] == record.ratio
    assert record.artefact.engine_sha256 == storage.sha256(inputs["engine"])
    assert record.twin.engine_sha256 == storage.sha256(inputs["twin"])
    assert record.runs[0].gpu is None
    assert record.layers == (Layers(first={"Conv": 22.0}, second={"Conv": 20.0}) if told else Layers())
    assert record.warnings == list(warnings)


def test_an_input_is_loaded_when_it_changes_only():
    class Loaded:
        def __init__(self):
            self.seen = []

        def load(self, batch):
            self.seen.append(batch)

        def occupy(self):
            pass

        def run(self):
            return 1.0

    engine = Loaded()
    run = alternating.runner(engine, {"a": 1, "b": 2})
    assert [run(name) for name in "aabba"] == [1.0] * 5
    assert engine.seen == [1, 2, 1]
