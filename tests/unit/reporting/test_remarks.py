import json
from dataclasses import replace

import numpy as np
import pytest
from msgspec import structs

from helpers.record_factory import engine, result, speed, speedup, summary, watch
from speedmap.engines.null import Null
from speedmap.machine.disturbances import verdict
from speedmap.machine.sample import Sample
from speedmap.reporting import footnotes, remarks
from speedmap.results.cell import Cell
from speedmap.results.cell_result import CellResult
from speedmap.results.findings import Int8Slower, NotCompared, OfBuild, OfTurns
from speedmap.results.speedup import Layers
from speedmap.results.timing_findings import OtherGpusBusy, OthersUsedCpu, Throttled
from speedmap.timing import alternating, stats

FLOAT, INT8 = (Cell("null", "m", precision, "static") for precision in ("fp16", "int8"))
LAYERS = {"first": {"Convolution": 8.0, "Sigmoid": 2.0}, "second": {"Convolution": 7.5, "Sigmoid": 2.0, "Reorder": 1.5}}
SEEDS = range(20)


class Neighbour:
    """Another process that comes and goes, whatever is timed meanwhile; `slower`: while it is there, relative."""

    def __init__(self, seed, share, slower, stay):
        self.random, self.share, self.slower, self.stay = np.random.default_rng(seed), share, slower, stay
        self.there, self.samples = bool(share) and bool(self.random.random() < 0.5), []

    def factor(self):
        if self.share and self.random.random() > self.stay:
            self.there = not self.there
        self.samples.append(Sample(others_share=self.share if self.there else 0.0))
        return 1 + self.slower * self.there

    def warnings(self):
        seen, self.samples = self.samples, []
        return verdict(seen, True, None, 0)


QUIET = {"share": 0.0, "slower": 0.0, "stay": 1.0}
NEIGHBOURS = {
    "stays long": {"share": 0.84, "slower": 3.0, "stay": 0.999},
    "comes and goes": {"share": 0.5, "slower": 1.0, "stay": 0.95},
    "is hardly seen": {"share": 0.04, "slower": 0.05, "stay": 0.999},
}


def measured(tmp_path, neighbour, ms, seed, layers=None, turns=True, samples=400):
    """Time two scripted engines, each alone and both in turns, beside a neighbour; returns their rows."""
    null, files = Null(), {}
    for cell, median_ms, name in ((FLOAT, ms[0], "first"), (INT8, ms[1], "second")):
        files[cell] = tmp_path / name
        script = {"median_ms": median_ms, "seed": 2 * seed + len(files), "layers": (layers or {}).get(name, {})}
        files[cell].write_text(json.dumps(script))
    rows = {}
    for cell, file in files.items():
        session = null.session(file, cell)
        values = [session.run() * neighbour.factor() for _ in range(samples)]
        record = speed(cell, warnings=neighbour.warnings())
        record.summary, record.doubts = stats.summary(values, stats.drift(values)), stats.doubts(values)
        rows[cell] = CellResult(cell, record, None, engine())
    if turns:
        rows[INT8] = replace(rows[INT8], speedup=in_turns(null, files, neighbour))
    return rows[INT8], rows[FLOAT]


def in_turns(null, files, neighbour):
    sessions = [null.session(file, cell) for cell, file in files.items()]
    runs = [lambda _, session=session: session.run() * neighbour.factor() for session in sessions]
    figures = alternating.speedup(alternating.alternate(*runs, ["a"], rounds=20, runs=10), draws=200)
    layers = Layers(**{file.name: null.layers(file, cell, None, 1) for cell, file in files.items()})
    facts = {"watch": watch(*neighbour.warnings()), "layers": layers}
    return structs.replace(speedup(INT8), **figures, **facts)


@pytest.mark.parametrize("turns", [True, False], ids=["in turns", "alone"])
@pytest.mark.parametrize("ms", [(10.0, 10.0), (11.0, 10.0)], ids=["as fast", "faster"])
@pytest.mark.parametrize("name", NEIGHBOURS)
def test_no_neighbour_makes_int8_slower_in_twenty_seeds(tmp_path, name, ms, turns):
    for seed in SEEDS:
        neighbour = Neighbour(seed, **NEIGHBOURS[name])
        row, twin = measured(tmp_path, neighbour, ms, seed, LAYERS, turns)
        assert not [said for said in remarks.against_float(row, twin) if isinstance(said, Int8Slower)]


def test_what_is_slower_is_found_with_the_layers_that_were_planted_in_twenty_seeds(tmp_path):
    for seed in SEEDS:
        (said,) = remarks.against_float(*measured(tmp_path, Neighbour(seed, **QUIET), (10.0, 11.0), seed, LAYERS))
        assert isinstance(said, Int8Slower)
        assert list(said.more) == ["Reorder"]
        assert (said.low, said.high) == pytest.approx((10 / 11, 10 / 11), rel=0.01)


def test_beside_a_neighbour_it_is_not_said_even_if_it_is_true(tmp_path):
    for seed in SEEDS:
        neighbour = Neighbour(seed, **NEIGHBOURS["comes and goes"])
        said = remarks.against_float(*measured(tmp_path, neighbour, (10.0, 13.0), seed, LAYERS))
        assert all(isinstance(each, NotCompared) for each in said)


def pair(median=2.5, turns=None, **layers):
    row, twin = result("null", "m", "int8", median=median), result("null", "m", median=2.0)
    if turns:
        low, ratio, high = turns
        figures = {"ratio": ratio, "low": low, "high": high, "first_ms": 10.0, "second_ms": 10.0 / ratio}
        row = replace(row, speedup=structs.replace(speedup(row.cell), **figures, layers=Layers(**layers)))
    return row, twin


def test_engines_that_took_turns_tell_more_than_runs_of_their_own():
    assert remarks.against_float(*pair(median=2.5, turns=(0.98, 1.0, 1.02))) == []
    (said,) = remarks.against_float(*pair(median=2.0, turns=(0.89, 0.90, 0.91)))
    assert (said.ratio, said.turns) == (0.90, True)
    (alone,) = remarks.against_float(*pair(median=2.5))
    assert (alone.ratio, alone.turns, alone.more) == (0.8, False, None)
    assert remarks.against_float(*pair(median=2.14)) == []  # as an engine timed twice may differ
    assert remarks.against_float(*pair(turns=(0.993, 0.994, 0.995))) == []  # surely, but not worth a word


@pytest.mark.parametrize("warning", [OthersUsedCpu(0.84), Throttled("sw power cap")])
def test_nothing_follows_from_a_run_that_cannot_be_quoted_but_that(warning):
    for spoilt, runs in ((0, ("INT8",)), (1, ("FP16",))):
        rows = pair()
        rows[spoilt].speed.watch.warnings = [warning]
        assert remarks.against_float(*rows) == [NotCompared("fp16", runs)]
    row, twin = pair(turns=(0.89, 0.90, 0.91), **LAYERS)
    row.speed.watch.warnings = [warning]  # which the turns did not meet
    assert isinstance(remarks.against_float(row, twin)[0], Int8Slower)
    row.speedup.watch = watch(warning)
    assert remarks.against_float(row, twin) == [NotCompared("fp16", ("both in turns",))]
    assert remarks.in_turns(row) == [OfTurns(warning)]
    row.speedup.watch = watch(OtherGpusBusy(0.9))
    assert remarks.in_turns(row) == []
    assert isinstance(remarks.against_float(row, twin)[0], Int8Slower)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ({"Conv": 8.0}, {"Conv": 7.5, "Reorder": 1.5}, ["Reorder"]),
        ({"Conv": 8.0, "Pool": 1.0}, {"Conv": 9.0, "Pool": 1.01, "Reorder": 0.4}, ["Conv", "Reorder"]),
        ({"Conv": 8.0}, {"Conv": 7.0, "Reorder": 0.9}, []),  # the layers say that it is faster
        ({"CaskConvolution": 1.0, "CaskGemmConvolution": 1.0}, {"CaskConvolution": 2.1, "Reformat": 0.9}, ["Reformat"]),
        ({"Conv": 8.0}, {"Conv": 8.2}, []),  # a fifth of what the engines differ by
        ({"Conv": 8.0}, {"Conv": 8.0, "Reorder": 2.5}, []),  # two and a half times that
    ],
)
def test_a_cause_is_read_off_the_layers_or_not_given(first, second, expected):
    (said,) = remarks.against_float(*pair(turns=(0.90, 10 / 11, 0.92), first=first, second=second))
    assert list(said.more) == expected
    text = footnotes.words(said)
    assert ("because of" in text) == bool(expected)
    assert all(kind in text for kind in expected)
    assert expected or text.endswith("; its layers do not tell why")


def test_layers_that_were_not_timed_give_no_cause():
    (said,) = remarks.against_float(*pair(turns=(0.89, 0.90, 0.91)))
    assert footnotes.words(said) == (
        "INT8 is slower than FP16: 0.900 times as fast (0.890 to 0.910, taking turns); its layers were not timed"
    )


def test_a_cell_is_compared_with_its_own_twin_only():
    row, twin = pair()
    other = replace(twin, cell=replace(twin.cell, shape="dynamic"))
    assert [len(each.remarks) for each in remarks.noted([row, other])] == [0, 0]
    assert [len(each.remarks) for each in remarks.noted([row, twin])] == [1, 0]


def test_a_further_build_is_said_with_its_number():
    row = replace(result(), builds=(result().speed, result(warnings=[Throttled("hw slowdown")]).speed))
    row.builds[0].summary = summary(3.0)
    assert remarks.rebuilt(row) == [OfBuild(3, Throttled("hw slowdown"), False)]
