"""Kill runs of a small config at random moments, and check that the same command finishes each.

    PYTHONPATH=tests python tests/faults/kill.py --count 200 --seed 0 --folder /tmp/kill

The config (tests/configs/tiny.yaml) has every rule of the default. Every fifth run starts from nothing, the
others from a complete one that is put back by some jobs. --first goes on with a series in the same folder.
"""

import argparse
import contextlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from helpers.snakemake_run import ROOT, prepare
from helpers.snakemake_run import command as snakemake

sys.path.insert(0, str(ROOT / "workflow/scripts"))

from speedmap.errors import UserError
from speedmap.results import records
from speedmap.results.accuracy import Accuracy
from speedmap.results.inventory import Dataset, ImageSet
from speedmap.results.prepared import Engine, Verification
from speedmap.results.speed import Speed

TINY = ROOT / "tests/configs/tiny.yaml"
FRESH = 5  # every so manieth run starts from nothing
STARTUP = 1.5  # seconds until the first job starts
PATIENCE = 600  # seconds that a run may take
RECORDS = {"speed": Speed, "accuracy": Accuracy, "engine": Engine, "verify": Verification, "dataset": Dataset,
           "images": ImageSet}  # fmt: skip


class Killed(NamedTuple):
    """One kill: its number, the first file that was to be made, when it came, what it left, and what was wrong then."""

    number: int
    start: str
    second: float
    left: list[str]
    faults: list[str]


def command(folder: Path) -> list[str]:
    """Write the command that is killed and given again."""
    return snakemake(folder, "--configfile", TINY, "--", "results/table.md")


@contextlib.contextmanager
def started(folder: Path) -> Iterator[subprocess.Popen]:
    """Start the command in a process group of its own."""
    with (folder / "output.log").open("w") as log:
        process = subprocess.Popen(command(folder), stdout=log, stderr=log, start_new_session=True)
        try:
            yield process
        finally:
            end(process, signal.SIGKILL)


def end(process: subprocess.Popen, how: signal.Signals) -> None:
    """Send a signal to a whole group and wait until all of it is gone."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, how)
    process.wait(PATIENCE)
    deadline = time.monotonic() + PATIENCE
    with contextlib.suppress(ProcessLookupError):
        while time.monotonic() < deadline:
            os.killpg(process.pid, 0)
            time.sleep(0.01)
        raise TimeoutError(f"of process group {process.pid} some live {PATIENCE} s after {how.name}")


def run(folder: Path) -> int:
    """Run the command to its end; returns the exit code."""
    with started(folder) as process:
        return process.wait(PATIENCE)


def kill(folder: Path, after: float, how: signal.Signals = signal.SIGKILL) -> bool:
    """Start the command and kill it after some seconds; False when it was done before."""
    with started(folder) as process:
        try:
            process.wait(after)
        except subprocess.TimeoutExpired:
            end(process, how)
            return True
    return False


def figures(folder: Path, table: str = "table.md") -> dict[str, list[str]]:
    """Read the cells of the tables of a page in results/, by the heading above them."""
    found: dict[str, list[str]] = {}
    heading = ""
    for line in (folder / "results" / table).read_text().splitlines():
        heading = line if line.startswith("## ") else heading
        if line.startswith("|") and heading.endswith("]") and not re.match(r"\| *Model|\|-", line):
            found.setdefault(heading, []).extend(cell.strip() for cell in line.strip("|").split("|")[1:])
    return found


def missing(folder: Path, table: str = "table.md") -> list[str]:
    """List the cells of the tables that hold no figure."""
    return [f"{heading}: {cell}" for heading, row in figures(folder, table).items() for cell in row
            if not re.match(r"\d+\.\d+( ms)?(<sup>|$)", cell)]  # fmt: skip


def metrics(folder: Path) -> dict[str, dict]:
    """Read the mAP of every cell."""
    return {str(path.parent.relative_to(folder)): json.loads(path.read_text())["metrics"]
            for path in sorted(folder.glob("results/*/*/accuracy.json"))}  # fmt: skip


def faults(folder: Path, code: int, expected: dict[str, dict]) -> list[str]:
    """List what is wrong after a run that should have finished; [] when nothing is."""
    if code != 0:
        return [f"exit code {code}: {(folder / 'output.log').read_text()[-600:]}"]
    found = missing(folder)
    if [len(row) for row in figures(folder).values()] != [6]:
        found.append(f"the tables have {figures(folder)}")
    for path in sorted(folder.glob("results/**/*.json")):
        found += [f"{path.relative_to(folder)}: {error}" for error in invalid(path)]
    found += [f"left behind: {path.relative_to(folder)}" for path in folder.glob("results/**/.*")]
    found += ["left behind: a lock"] * any(folder.glob(".snakemake/locks/*"))
    return found + ["other mAP than undisturbed"] * (metrics(folder) != expected)


def invalid(path: Path) -> list[str]:
    """Read a record as what its name says; others must be whole."""
    try:
        if path.stem in RECORDS:
            records.read(path, RECORDS[path.stem])
            return []
        content = json.loads(path.read_text())
    except (ValueError, UserError) as error:
        return [str(error)]
    return [] if path.stem == "detections" or content.get("schema") == records.SCHEMA else ["no record"]


def left(folder: Path) -> list[str]:
    """Name what a killed run left besides whole results."""
    kinds = {"a lock": ".snakemake/locks/*.lock", "half a file": "results/**/.*.part",
             "an unfinished job": ".snakemake/incomplete/**/*"}  # fmt: skip
    return [name for name, pattern in kinds.items() if any(folder.glob(pattern))]


def rewind(folder: Path, number: int, dice: random.Random) -> tuple[str, float]:
    """Put a complete run back to a moment in its later half, or to nothing; returns the first file and what is gone."""
    made = sorted((path.stat().st_mtime, path) for path in (folder / "results").rglob("*") if path.is_file())
    if number % FRESH == 0 or not made:
        for name in ("results", ".snakemake", "logs"):
            shutil.rmtree(folder / name, ignore_errors=True)
        return "nothing", 1.0
    first = dice.randrange(len(made) // 2, len(made))
    for _time, path in made[first:]:
        path.unlink()
    return str(made[first][1].relative_to(folder)), (len(made) - first) / len(made)


def attempt(folder: Path, number: int, seed: int, longest: float, expected: dict[str, dict]) -> Killed:
    """Kill one run at a random moment and finish it; a run that is done before the moment comes is begun anew."""
    dice = random.Random(f"{seed}/{number}")
    while True:
        start, share = rewind(folder, number, dice)
        second = dice.uniform(0, STARTUP + share * longest)
        if kill(folder, second):
            remains = left(folder)
            return Killed(number, start, second, remains, faults(folder, run(folder), expected))


def described(killed: Killed) -> str:
    said = f"{killed.number}: went on from {killed.start}, killed at {killed.second:.2f} s"
    return f"{said}, left {', '.join(killed.left) or 'nothing'}: {'; '.join(killed.faults) or 'complete'}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first kill")
    parser.add_argument("--folder", type=Path, required=True, help="where to run; results of a series stay there")
    options = parser.parse_args()
    folder, undisturbed = prepare(options.folder), options.folder / "undisturbed.json"
    if not undisturbed.exists():
        begun = time.monotonic()
        if run(folder):
            raise SystemExit((folder / "output.log").read_text())
        undisturbed.write_text(json.dumps([time.monotonic() - begun, metrics(folder)]))
    longest, expected = json.loads(undisturbed.read_text())
    bad = 0
    for number in range(options.first, options.first + options.count):
        killed = attempt(folder, number, options.seed, longest, expected)
        bad += bool(killed.faults)
        with (folder / "kills.jsonl").open("a") as log:
            log.write(json.dumps(killed._asdict()) + "\n")
        print(described(killed), flush=True)
    print(f"{options.count} kills, {options.count - bad} complete tables")
    return bad > 0


if __name__ == "__main__":
    raise SystemExit(main())
