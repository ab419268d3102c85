"""Speeds whose runs were disturbed, measured again behind all others, when the machine is quieter.

A second run right after the first meets the same neighbour. Of two runs the less disturbed one counts, whichever was
the faster; the record of the one keeps the other.
"""

import multiprocessing
import sys
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec import structs

from speedmap.errors import UserError
from speedmap.machine.monitor import watch
from speedmap.results import records
from speedmap.results.findings import Disturbance, Finding, Imprecise, OthersUsedCpu, Unwatched
from speedmap.results.measured import Speed, Take

PROBE_S = 1.0  # that the machine is looked at before a run
Measure = Callable[[dict], bool]  # measures a cell, by what the step takes; whether it could
Noise = Callable[[bool], list[Finding]]  # disturbs the GPU, or the processors, now


def again(
    paths: Sequence[Path],
    dataset: str,
    seconds: float,
    measure: Measure,
    noise: Noise,
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, str]:
    """Measure disturbed cells again, each once, while there is time and the machine is quiet.

    paths: of all speed records. seconds: in all, waiting included. Returns what became of each cell that was worth it,
    by the path of its record.
    """
    waiting = {path: record for path in paths if worth(record := records.read(path, Speed))}
    end, results = clock() + seconds, {}
    if waiting:
        _say(f"{len(waiting)} of {len(paths)} speeds are disturbed or unstable: measured again within {seconds:.0f} s")
    for number, (path, record) in enumerate(waiting.items(), 1):
        quiet = _quiet_before(end - took(record), any(run.gpu for run in record.runs), noise, clock)
        results[str(path)] = _once_more(path, record, dataset, measure) if quiet else "no quiet time was left for it"
        _say(f"[{number}/{len(waiting)}] {record.cell.backend}/{record.cell.name}: {results[str(path)]}")
    return results


def worth(record: Speed) -> bool:
    """Return whether a speed is worth a second run: it was disturbed, and has had none yet."""
    return record.disturbed and not record.aside and not record.audit.invalid


def took(record: Speed) -> float:
    """Return the seconds that a run took."""
    run = record.runs[0]
    return (datetime.fromisoformat(run.end) - datetime.fromisoformat(run.start)).total_seconds()


def _quiet_before(latest: float, gpu: bool, noise: Noise, clock: Callable[[], float]) -> bool:
    """Wait until nothing disturbs the machine; False when it has not become quiet by the latest time to start."""
    said = False
    while clock() < latest:
        if not (heard := noise(gpu)):
            return True
        if not said:
            _say(f"waiting until the machine is quieter ({'; '.join(map(str, heard))})")
        said = True
    return False


def disturbances(gpu: bool) -> list[Finding]:
    """Watch the machine for PROBE_S, and return what would disturb a run now."""
    with watch(gpu) as watched:
        time.sleep(PROBE_S)
    return [finding for finding in watched.result.warnings if isinstance(finding, Disturbance)]


def in_own_process(step: Callable, arguments: dict) -> bool:
    """Run a step in a fresh process, as jobs are; returns whether it ended well."""
    process = multiprocessing.get_context("spawn").Process(target=_explained, args=(step, arguments))
    process.start()
    process.join()
    return process.exitcode == 0


def _explained(step: Callable, arguments: dict) -> None:
    try:
        step(**arguments)
    except UserError as error:
        sys.exit(f"{error}")


def _once_more(path: Path, first: Speed, dataset: str, measure: Measure) -> str:
    """Measure a cell anew, and write the less disturbed of both runs; the first stays where the second fails."""
    with TemporaryDirectory() as folder:
        spare = Path(folder, path.name)
        if not measure(arguments(path, first, dataset, spare)):
            return "could not be measured again"
        second = records.read(spare, Speed)
    better, other = (second, first) if rank(second) < rank(first) else (first, second)
    better.aside = Take(measured=other.measured, summary=other.summary, warnings=other.warnings)
    records.write(path, better)
    medians = f"{first.summary.median_ms:.2f} ms, then {second.summary.median_ms:.2f} ms"
    return f"{medians}, {'disturbed again' if second.disturbed else 'undisturbed'}"


def arguments(path: Path, record: Speed, dataset: str, out: Path) -> dict:
    """Return what the step takes to measure a cell as its record says that it was measured."""
    build, cell = path.name.removeprefix("speed").removesuffix(".json"), record.cell
    files = {name: str(path.with_name(f"{name}{build}")) for name in ("engine", "verify")}
    inputs = {"engine": files["engine"], "record": f"{files['engine']}.json", "verification": f"{files['verify']}.json"}
    if cell.backend == "torch":
        weights = path.parents[2] / "weights" / cell.model
        inputs = {"engine": f"{weights}.safetensors", "record": f"{weights}.json"}
    protocol = structs.asdict(record.protocol)
    facts = {"cell": cell, "imgsz": record.imgsz, "protocol": protocol, "code": record.environment.code}
    return {**facts, "inputs": {**inputs, "dataset": dataset}, "out": str(out)}


def rank(record: Speed) -> tuple[int, float]:
    """Return how disturbed a run was, to compare two by: how much is wrong with it, then what other processes took."""
    wrong = [each for each in record.warnings if isinstance(each, Disturbance | Imprecise | Unwatched)]
    return len(wrong), max((each.share for each in wrong if isinstance(each, OthersUsedCpu)), default=0.0)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
