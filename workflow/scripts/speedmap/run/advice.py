"""What to do about the speeds of a run that cannot be quoted, because something disturbed them."""

import shlex
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from snakemake.cli import get_argument_parser

from speedmap.reporting.footnotes import together
from speedmap.results import records
from speedmap.results.findings import Disturbance
from speedmap.results.measured import Speed
from speedmap.results.records import RecordError

NAMED = 3  # of the processes that took the most
TABLE = "results/table.md"
FORCED = {"-R", "--forcerun", "-f", "--force", "-F", "--forceall", "--"}  # options that say what is made again
LOGGER = {"--logger", "speedmap"}  # which make alone finds


def advise(paths: Iterable[str], called: Sequence[str]) -> list[str]:
    """Return what disturbed the speeds of a run, what to end, and the command that repeats these alone; [] for none.

    paths: of all speed records. called: the words of the command that ran.
    """
    speeds = {path: record for path in paths if (record := _read(Path(path)))}
    disturbed = {path: record for path, record in speeds.items() if record.disturbed and not record.audit.invalid}
    if not disturbed:
        return []
    return [
        f"{len(disturbed)} of {len(speeds)} speeds are disturbed or unstable: {'; '.join(_seen(disturbed.values()))}",
        *_to_end(disturbed.values()),
        f"repeat these alone: {repeat(list(disturbed), called)}",
    ]


def _read(path: Path) -> Speed | None:
    """Read a speed record; None where there is none that can be read: the run has ended well without it."""
    try:
        return records.read(path, Speed)
    except (OSError, RecordError):
        return None


def _seen(disturbed: Iterable[Speed]) -> list[str]:
    """Write what disturbed the runs, a sentence a kind."""
    kinds = defaultdict(list)
    for record in disturbed:
        for warning in record.warnings:
            if isinstance(warning, Disturbance):
                kinds[type(warning)].append(warning)
    return list(map(together, kinds.values()))


def _to_end(disturbed: Iterable[Speed]) -> list[str]:
    """Name the processes that took the most of the processors, by their largest share in any run."""
    shares: dict[str, float] = {}
    for record in disturbed:
        for name, share in record.watch.busiest.items():
            shares[name] = max(share, shares.get(name, 0.0))
    top = sorted(shares.items(), key=lambda item: -item[1])[:NAMED]
    return [f"end or wait for: {', '.join(f'{name} with up to {share:.0%}' for name, share in top)}"] if top else []


def repeat(paths: Sequence[str], called: Sequence[str]) -> str:
    """Write the command that measures some cells again and makes the table anew, with the options of one that ran."""
    given, _ = get_argument_parser().parse_known_args(list(called[1:]))
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
