"""What to do about the timings of a run that cannot be quoted: what to end, and how to repeat these alone."""

import os
import shlex
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from snakemake.cli import get_argument_parser

from speedmap.errors import UserError
from speedmap.reporting.footnotes import together
from speedmap.results import records
from speedmap.results.records import RecordError
from speedmap.results.reported import Provenance
from speedmap.results.speed import Speed
from speedmap.results.speedup import Speedup
from speedmap.results.timing_findings import Disturbance, Imprecise, OthersUsedCpu, Unwatched
from speedmap.timing import again

NAMED = 3  # of the processes that took the most
TABLE = "results/table.md"
FORCED = {"-R", "--forcerun", "-f", "--force", "-F", "--forceall", "--"}  # options that say what is made again
LOGGER = {"--logger", "speedmap"}  # which make alone finds


def advise(paths: Iterable[str], called: Sequence[str]) -> list[str]:
    """Return what spoilt the timings of a run, what to end, and the command that repeats these alone; [] for none.

    paths: of all records of speeds and speed-ups. called: the words of the command that ran.
    """
    timed = _read(paths)
    spoilt = {path: record for path, record in timed.items() if not _sound(record)}
    if not spoilt:
        return []
    named = {"speeds": Speed, "speed-ups": Speedup}
    counts = [_count(name, [one for one in timed.values() if isinstance(one, kind)]) for name, kind in named.items()]
    return [
        f"{' and '.join(filter(None, counts))} cannot be quoted: {'; '.join(_seen(spoilt.values()))}",
        *_to_end(spoilt.values()),
        f"repeat these alone: {repeat(list(spoilt), called)}",
    ]


def _count(name: str, timed: Sequence[Speed | Speedup]) -> str:
    """Return how many of some timings are spoilt; nothing where none is."""
    spoilt = sum(not _sound(record) for record in timed)
    return f"{spoilt} of {len(timed)} {name}" if spoilt else ""


def spoilt(table: Path) -> list[str]:
    """List the records behind a table that cannot be quoted; the table's path where there is none. Raises UserError.

    table: its environment.json, which names its figures.
    """
    if not table.exists():
        raise UserError(f"{table} is not there; make table first")
    folders = dict.fromkeys((table.parent / name).parent for name in records.read(table, Provenance).figures)
    timed = _read(str(folder / f"{kind}.json") for kind in ("speed", "speedup") for folder in folders)
    return [path for path, record in timed.items() if not _sound(record)] or [TABLE]


def _read(paths: Iterable[str]) -> dict[str, Speed | Speedup]:
    """Read the records that can be read, valid ones: a run has ended well without the others."""
    read = {}
    for path in paths:
        try:
            record = again.read(Path(path))
        except (OSError, RecordError):
            continue
        if isinstance(record, Speedup) or not record.audit.invalid:
            read[path] = record
    return read


def _sound(record: Speed | Speedup) -> bool:
    return not record.disturbed if isinstance(record, Speedup) else record.quotable


def _seen(spoilt: Iterable[Speed | Speedup]) -> list[str]:
    """Write what spoilt the runs, a sentence a kind."""
    kinds = defaultdict(list)
    for record in spoilt:
        for warning in record.warnings:
            if isinstance(warning, Disturbance | Imprecise | Unwatched):
                kinds[type(warning)].append(warning)
    return list(map(together, kinds.values()))


def _to_end(spoilt: Iterable[Speed | Speedup]) -> list[str]:
    """Name the processes that took the most of the processors, by their largest share in any run that this disturbed.

    Without this process, which runs the jobs.
    """
    shares: dict[str, float] = {}
    for record in spoilt:
        busiest = record.watch.busiest if any(isinstance(each, OthersUsedCpu) for each in record.warnings) else {}
        for name, share in busiest.items():
            shares[name] = max(share, shares.get(name, 0.0))
    shares = {name: share for name, share in shares.items() if not name.endswith(f" ({os.getpid()})")}
    top = sorted(shares.items(), key=lambda item: -item[1])[:NAMED]
    named = ", ".join(f"{name} with up to {share:.0%}" for name, share in top)
    return [f"end or wait for, if they still run: {named}"] if named else []


def repeat(paths: Sequence[str], called: Sequence[str]) -> str:
    """Write the command that measures some cells again and makes the table anew, with the options of one that ran.

    Where make ran it, that is make's own, which finds the same cells by the table.
    """
    given, _ = get_argument_parser().parse_known_args(list(called[1:]))
    if "MAKELEVEL" in os.environ and set(called) >= LOGGER:
        config = [f"CONFIG={shlex.quote(' '.join(map(str, given.configfile)))}"] if given.configfile else []
        return " ".join(["make again", *config])
    left_out = FORCED | LOGGER | {str(word) for word in (*given.targets, *(given.forcerun or ()))}
    options = [word for word in called[1:] if word not in left_out]
    program = str(called[0]) if Path(called[0]).name == "snakemake" else "snakemake"
    return f"{shlex.join([program, *options, '-f'])} {_together(paths)} {TABLE}"


def _together(paths: Sequence[str]) -> str:
    """Write paths that differ in their folder alone as one word, as a shell spreads it."""
    groups = defaultdict(list)
    for path in map(Path, paths):
        groups[path.parents[1], path.name].append(path.parent.name)
    return " ".join(
        f"{root}/{{{','.join(names)}}}/{name}" if len(names) > 1 else f"{root}/{names[0]}/{name}"
        for (root, name), names in groups.items()
    )
