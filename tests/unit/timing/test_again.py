import json
from contextlib import nullcontext
from inspect import signature
from pathlib import Path
from types import SimpleNamespace

import pytest
from msgspec import structs

import measure_speedup
from helpers.record_factory import RUN, dataset, engine, image, speed, speedup, summary, verification, watch, write
from measure_speed import measure_speed
from speedmap import storage
from speedmap.machine import gpu_lease
from speedmap.reporting.footnotes import words
from speedmap.results import records
from speedmap.results.cell import Cell
from speedmap.results.findings import WrongPrecision
from speedmap.results.speed import Speed
from speedmap.results.speedup import Speedup
from speedmap.results.timing_findings import (
    ClockChanged,
    ForeignProcess,
    HalvesDiffer,
    NotWatched,
    OtherGpusBusy,
    OthersUsedCpu,
    WideInterval,
)
from speedmap.timing import again

DATA = {"dataset": "results/dataset.json", "image_set": "results/images.json"}
CELLS = [Cell("openvino", model, "fp16", "static") for model in "abc"]
CROWDED, CALM, CRAMPED = OthersUsedCpu(0.84), OthersUsedCpu(0.2), HalvesDiffer(0.1)


class Machine:
    """Time that passes by being looked at, and cells that are measured in five seconds each."""

    def __init__(self, quiet_from=0.0, second=()):
        self.now, self.quiet_from, self.second, self.measured = 0.0, quiet_from, second, []

    def clock(self):
        return self.now

    def noise(self, gpu):
        self.now += 1
        return "" if self.now > self.quiet_from else "other processes"

    def measure(self, step, arguments):
        self.now += 5
        self.measured.append(arguments["cell"].model)
        if step == "measure_speed":
            write(arguments["out"], speed(arguments["cell"], median=1.0, warnings=self.second))
        else:
            write(arguments["out"], structs.replace(speedup(arguments["cell"], ratio=1.2), watch=watch(*self.second)))
        return True


@pytest.fixture
def taken(tmp_path, monkeypatch):
    """Write records of first runs by what disturbed them; returns their paths."""
    monkeypatch.chdir(tmp_path)

    def take(*warnings):
        paths = [Path(cell.folder, "speed.json") for cell in CELLS]
        for cell, path, warning in zip(CELLS, paths, warnings, strict=False):
            write(path, speed(cell, median=2.0, warnings=[warning] if warning else []))
        return paths[: len(warnings)]

    return take


def run(paths, machine, seconds=100.0):
    return again.again(paths, DATA, seconds, machine.measure, machine.noise, machine.clock)


def read(path):
    return records.read(path, Speed)


def test_only_disturbed_cells_are_measured_again(taken):
    paths, machine = taken(CROWDED, None, CRAMPED), Machine()
    assert list(run(paths, machine)) == [str(paths[0]), str(paths[2])]
    assert machine.measured == ["a", "c"]
    assert [read(path).summary.median_ms for path in paths] == [1.0, 2.0, 1.0]
    assert not read(paths[1]).aside


@pytest.mark.parametrize("warning", [NotWatched("processes"), WideInterval(0.1)])
def test_what_time_does_not_mend_is_not_measured_again(taken, warning):
    assert run(taken(warning), machine := Machine()) == {}
    assert machine.measured == []


def test_an_invalid_cell_is_not_measured_again(taken):
    (path,) = taken(CROWDED)
    write(path, speed(CELLS[0], warnings=[CROWDED], invalid=[WrongPrecision("fp16", {"fp32": 1.0})]))
    assert run([path], Machine()) == {}


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [
        (CROWDED, (), 1.0),
        (CROWDED, (CALM,), 1.0),
        (CALM, (CROWDED,), 2.0),  # although it was the faster
        (CALM, (CALM,), 2.0),
        (CROWDED, (CALM, CRAMPED), 2.0),
    ],
)
def test_the_less_disturbed_run_counts_whichever_is_faster(taken, first, second, kept):
    (path,) = taken(first)
    run([path], Machine(second=second))
    record = read(path)
    assert record.summary.median_ms == kept
    assert {record.summary.median_ms, record.aside.summary.median_ms} == {1.0, 2.0}
    assert set(record.aside.warnings) == ({first} if kept == 1.0 else set(second))


def test_no_cell_is_measured_a_third_time(taken):
    (path,) = taken(CROWDED)
    run([path], Machine(second=[CROWDED]))
    assert run([path], machine := Machine()) == {}
    assert machine.measured == []


def test_it_waits_for_a_quieter_machine(taken, capsys):
    machine = Machine(quiet_from=30)
    run(taken(CROWDED), machine)
    assert machine.measured == ["a"]
    assert machine.now > 30
    said = capsys.readouterr().err
    assert said.count("waiting until the machine is quieter: other processes\n") == 1
    assert "1 of 1 timings are disturbed or unstable: taken again within 100 s" in said
    assert "[1/1] openvino/a-fp16-static, speed: 2.00 ms, then 1.00 ms, undisturbed" in said


def test_a_machine_that_never_gets_quiet_is_not_waited_for_longer_than_patience_lasts(taken):
    paths, machine = taken(CROWDED, CROWDED, CROWDED), Machine(quiet_from=1e9)
    before = [path.read_bytes() for path in paths]
    assert set(run(paths, machine, 60.0).values()) == {"no quiet time was left for it"}
    assert machine.measured == []
    assert machine.now <= 60 * again.PATIENCE + len(paths)  # a look at the machine before each
    assert [path.read_bytes() for path in paths] == before


def test_no_run_begins_that_could_not_end_in_time(taken):
    paths, machine = taken(CROWDED, CROWDED, CROWDED), Machine()  # each took five seconds the first time
    results = run(paths, machine, 14.0)
    assert machine.measured == ["a", "b"]
    assert list(results.values())[2] == "no quiet time was left for it"
    assert machine.now <= 14


def test_the_shortest_runs_come_first_since_more_of_them_fit(taken):
    paths = taken(CROWDED, CROWDED, CROWDED)
    for path, end in zip(paths, ("09", "04", "20"), strict=True):
        record = read(path)
        record.runs[0].end = f"2026-01-02T03:04:{end}.000000+00:00"
        write(path, record)
    run(paths, machine := Machine())
    assert machine.measured == ["b", "a", "c"]


def test_a_run_that_fails_leaves_the_first(taken):
    (path,) = taken(CROWDED)
    before = path.read_bytes()
    results = again.again([path], DATA, 99.0, lambda *_: False, lambda gpu: "", lambda: 0.0)
    assert list(results.values()) == ["could not be measured again"]
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == ["speed.json"]


@pytest.mark.parametrize(
    ("cell", "name", "expected"),
    [
        (Cell("tensorrt", "m", "int8", "static"), "speed.json",
         {"engine": "engine", "record": "engine.json", "verification": "verify.json"}),
        (Cell("tensorrt", "m", "int8", "static"), "speed.2.json",
         {"engine": "engine.2", "record": "engine.2.json", "verification": "verify.2.json"}),
    ],
)  # fmt: skip
def test_a_build_is_measured_with_its_own_files(cell, name, expected):
    step, found = again.arguments(Path(cell.folder, name), speed(cell), DATA, Path("out"))
    assert step == "measure_speed"
    inputs = {key: f"{cell.folder}/{file}" for key, file in expected.items()}
    assert found.items() >= {**inputs, "dataset": "results/dataset.json"}.items()
    assert found["code"] == "0" * 12


def test_torch_is_measured_with_the_weights():
    cell = Cell("torch", "m", "fp16", "dynamic")
    _, found = again.arguments(Path(cell.folder, "speed.json"), speed(cell), DATA, Path("out"))
    weights = {"engine": "results/weights/m.safetensors", "record": "results/weights/m.json"}
    assert found.items() >= {**weights, "dataset": "results/dataset.json"}.items()
    assert "verification" not in found


@pytest.mark.parametrize(("second", "kept"), [((), 1.2), ((CALM,), 1.2), ((CROWDED, ForeignProcess(7)), 1.1)])
def test_engines_whose_turns_were_disturbed_take_them_again(tmp_path, monkeypatch, second, kept):
    monkeypatch.chdir(tmp_path)
    cell = Cell("openvino", "a", "int8", "static")
    path = Path(cell.folder, "speedup.json")
    write(path, structs.replace(speedup(cell, ratio=1.1), watch=watch(CROWDED), runs=[RUN]))
    write(path.with_name("speed.json"), speed(cell))
    (said,) = run([path.with_name("speed.json"), path], Machine(second=second)).values()
    record = records.read(path, Speedup)
    assert (record.ratio, record.aside.ratio) == (kept, pytest.approx(2.3 - kept))
    assert said.startswith("x 1.100, then x 1.200, ")
    assert not again.worth(record)


def test_engines_take_turns_for_the_time_and_on_the_size_of_the_cell(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cell = Cell("openvino", "a", "int8", "static")
    path = Path(cell.folder, "speedup.json")
    write(path.with_name("speed.json"), speed(cell))
    step, found = again.arguments(path, speedup(cell), DATA, Path("out"))
    assert step == "measure_speedup"
    assert (found["imgsz"], found["seconds"]) == (640, 0)
    twin = "results/openvino/a-fp16-static/engine"
    engines = {"engine": f"{cell.folder}/engine", "engine_record": f"{cell.folder}/engine.json", "twin": twin}
    expected = {**engines, "twin_record": f"{twin}.json", "image_set": "results/images.json"}
    assert found.items() >= expected.items()
    signature(measure_speedup.measure_speedup).bind(**found)


def test_the_step_measures_as_the_first_time(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(gpu_lease, "candidates", list)
    cell = Cell("null", "m", "fp16", "static")
    folder = Path(cell.folder)
    folder.mkdir(parents=True)
    (folder / "engine").write_text(json.dumps({"median_ms": 3.0}))
    write(folder / "engine.json", engine(digest=storage.sha256(folder / "engine")))
    write(folder / "verify.json", verification())
    images = Path(__file__).parents[3] / "sample/images"
    write("results/dataset.json", dataset([image(next(images.glob("*.jpg")), 1)]))
    write(folder / "speed.json", speed(cell, median=9.0, warnings=[CROWDED]))
    first = read(folder / "speed.json")
    first.summary = summary(9.0)
    monkeypatch.setattr(again, "rank", lambda record: (int(record.summary.median_ms == 9.0), 0.0))

    def measure(step, arguments):
        assert step == "measure_speed"
        measure_speed(**arguments)
        return True

    again.again([folder / "speed.json"], DATA, 99.0, measure, lambda gpu: "", lambda: 0.0)
    record = read(folder / "speed.json")
    assert record.summary.median_ms == pytest.approx(3.0, rel=0.1)
    assert record.aside.summary.median_ms == 9.0
    assert record.protocol == first.protocol


def test_the_machine_is_quiet_when_nothing_would_disturb_a_run(monkeypatch):
    seen = [CROWDED, ClockChanged("sm", 345, 1980, 0.05), OtherGpusBusy(0.9), ForeignProcess(7)]
    monkeypatch.setattr(again, "PROBE_S", 0)
    result = structs.replace(watch(*seen), busiest={"python (9)": 0.8, "make (7)": 0.04})
    monkeypatch.setattr(again, "watch", lambda gpu, timed: nullcontext(SimpleNamespace(result=result)))
    said = "other processes used 84% of the CPU; foreign process on the GPU: 7"
    assert again.disturbances(words, True) == f"{said} (python (9) 80%, make (7) 4%)"
    seen[:] = [each for each in seen if not isinstance(each, OthersUsedCpu | ForeignProcess)]
    result = structs.replace(watch(*seen), busiest={"python (9)": 0.01})
    monkeypatch.setattr(again, "watch", lambda gpu, timed: nullcontext(SimpleNamespace(result=result)))
    assert again.disturbances(words, True) == ""


def fail():
    raise ValueError("planted")


@pytest.mark.parametrize(("step", "arguments", "ended_well"), [(str, {}, True), (fail, {}, False)])
def test_a_step_runs_in_a_process_of_its_own(step, arguments, ended_well):
    assert again.in_own_process({"a": print, "b": step}, "b", arguments) is ended_well
