"""Speeds and speed-ups whose runs were disturbed, measured again behind all others, when the machine is quieter.

A second run right after the first meets the same neighbour. Of two runs the less disturbed one counts, whichever was
the faster; the record of the one keeps the other.
"""

import multiprocessing
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec import structs

from speedmap.errors import UserError
from speedmap.machine.monitor import watch
from speedmap.results import records
from speedmap.results.findings import Finding
from speedmap.results.speed import Speed, Take
from speedmap.results.speedup import Ratio, Speedup
from speedmap.results.timing_findings import ClockChanged, Disturbance, Imprecise, OthersUsedCpu, Unwatched

PROBE_S = 1.0  # that the machine is looked at before a run
PATIENCE = 1 / 3  # of the time given, that may go by in waiting: a neighbour who stays is not waited out
Measure = Callable[[str, dict], bool]  # runs a step by its name with what it takes; whether it ended well
Timed = Speed | Speedup
Noise = Callable[[bool], str]  # says what disturbs the GPU, or the processors, now


def again(
    paths: Sequence[Path],
    data: dict[str, str],
    seconds: float,
    measure: Measure,
    noise: Noise,
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, str]:
    """Measure disturbed cells again, each once, while there is time and the machine is quiet.

    paths: of all records of speeds and speed-ups. data: see `arguments`. seconds: in all, of which waiting takes
    PATIENCE at most. Returns what became of each that was worth it, by its path.
    """
    disturbed = {path: record for path in paths if worth(record := read(path))}
    waiting = dict(sorted(disturbed.items(), key=lambda item: took(item[1])))  # most have time
    end, patience, results = clock() + seconds, PATIENCE * seconds, {}
    if waiting:
        _say(f"{len(waiting)} of {len(paths)} timings are disturbed or unstable: taken again within {seconds:.0f} s")
    for number, (path, record) in enumerate(waiting.items(), 1):
        begun = clock()
        latest = min(end - took(record), begun + patience)
        quiet = begun < end - took(record) and _quiet_before(latest, any(run.gpu for run in record.runs), noise, clock)
        patience -= max(clock() - begun - PROBE_S, 0)
        results[str(path)] = _once_more(path, record, data, measure) if quiet else "no quiet time was left for it"
        _say(f"[{number}/{len(waiting)}] {record.cell.backend}/{record.cell.name}, {path.stem}: {results[str(path)]}")
    return results


def read(path: Path) -> Timed:
    """Read the record of a speed or of a speed-up."""
    return records.read(path, Speedup if path.stem == "speedup" else Speed)


def worth(record: Timed) -> bool:
    """Return whether a record is worth a second run: its own was disturbed, and it has had none yet."""
    valid = isinstance(record, Speedup) or not record.audit.invalid
    return record.disturbed and not record.aside and valid


def took(record: Timed) -> float:
    """Return the seconds that a run took; 0 where that was not noted."""
    if not record.runs:
        return 0.0
    run = record.runs[0]
    return (datetime.fromisoformat(run.end) - datetime.fromisoformat(run.start)).total_seconds()


def _quiet_before(latest: float, gpu: bool, noise: Noise, clock: Callable[[], float]) -> bool:
    """Wait until nothing disturbs the machine; False when it has not become quiet by the latest time to start."""
    said = False
    while heard := noise(gpu):
        if clock() >= latest:
            return False
        if not said:
            _say(f"waiting until the machine is quieter: {heard}")
        said = True
    return True


def disturbances(words: Callable[[Finding], str], gpu: bool) -> str:
    """Watch the machine for PROBE_S; returns what would disturb a run now and who does, "" for nothing.

    The clocks of an idle GPU say nothing. words: writes a finding for a reader.
    """
    with watch(gpu, timed=False) as watched:
        time.sleep(PROBE_S)
    seen = [each for each in watched.result.warnings if isinstance(each, Disturbance)]
    told = [words(each) for each in seen if not isinstance(each, ClockChanged)]
    busiest = [f"{name} {share:.0%}" for name, share in watched.result.busiest.items()]
    return f"{'; '.join(told)} ({', '.join(busiest)})" if told and busiest else "; ".join(told)


def in_own_process(steps: dict[str, Callable], step: str, arguments: dict) -> bool:
    """Run one of some steps in a fresh process, as jobs are; returns whether it ended well."""
    process = multiprocessing.get_context("spawn").Process(target=_explained, args=(steps[step], arguments))
    process.start()
    process.join()
    return process.exitcode == 0


def _explained(step: Callable, arguments: dict) -> None:
    try:
        step(**arguments)
    except UserError as error:
        sys.exit(f"{error}")


def _once_more(path: Path, first: Timed, data: dict[str, str], measure: Measure) -> str:
    """Measure a cell anew, and write the less disturbed of both runs; the first stays where the second fails."""
    with TemporaryDirectory() as folder:
        spare = Path(folder, path.name)
        step, taken = arguments(path, first, data, spare)
        if not measure(step, taken):
            return "could not be measured again"
        second = read(spare)
    better, other = (second, first) if rank(second) < rank(first) else (first, second)
    better.aside = _summed_up(other)
    records.write(path, better)
    return f"{_figure(first)}, then {_figure(second)}, {'disturbed again' if second.disturbed else 'undisturbed'}"


def _summed_up(record: Timed) -> Take | Ratio:
    if isinstance(record, Speedup):
        return Ratio(ratio=record.ratio, low=record.low, high=record.high, warnings=record.warnings)
    return Take(measured=record.measured, summary=record.summary, warnings=record.warnings)


def _figure(record: Timed) -> str:
    return f"x {record.ratio:.3f}" if isinstance(record, Speedup) else f"{record.summary.median_ms:.2f} ms"


def arguments(path: Path, record: Timed, data: dict[str, str], out: Path) -> tuple[str, dict]:
    """Return the step that measures a cell, and what it takes to do so as the record says that it was done.

    data: the paths of `dataset` and `image_set`.
    """
    if isinstance(record, Speedup):
        timed = records.read(path.with_name("speed.json"), Speed)  # for the same time on the same size
        sides = {"engine": path.parent, "twin": path.parent.with_name(replace(record.cell, precision="fp16").name)}
        files = {name: str(folder / "engine") for name, folder in sides.items()}
        inputs = files | {f"{name}_record": f"{file}.json" for name, file in files.items()}
        facts = {"cell": record.cell, "imgsz": timed.imgsz, "seconds": timed.protocol.min_s}
        return "measure_speedup", {**facts, **inputs, "image_set": data["image_set"], "out": str(out)}
    protocol = structs.asdict(record.protocol)
    facts = {"cell": record.cell, "imgsz": record.imgsz, "protocol": protocol, "code": record.environment.code}
    return "measure_speed", {**facts, **_inputs(path, record), "dataset": data["dataset"], "out": str(out)}


def _inputs(path: Path, record: Speed) -> dict[str, str]:
    """Name the engine behind a speed record, and what is known of it."""
    if record.cell.backend == "torch":
        weights = path.parents[2] / "weights" / record.cell.model
        return {"engine": f"{weights}.safetensors", "record": f"{weights}.json"}
    build = path.stem.removeprefix("speed")
    engine, verification = (path.with_name(f"{name}{build}") for name in ("engine", "verify"))
    return {"engine": str(engine), "record": f"{engine}.json", "verification": f"{verification}.json"}


def rank(record: Timed) -> tuple[int, float]:
    """Return how disturbed a run was, to compare two by: how much is wrong with it, then what other processes took."""
    wrong = [each for each in record.warnings if isinstance(each, Disturbance | Imprecise | Unwatched)]
    return len(wrong), max((each.share for each in wrong if isinstance(each, OthersUsedCpu)), default=0.0)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
