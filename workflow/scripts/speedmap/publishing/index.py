"""The index of all that was published: one row a device and model."""

from pathlib import Path

import pandas as pd

from speedmap import storage
from speedmap.publishing import folders
from speedmap.reporting.footnotes import words
from speedmap.reporting.markdown import table
from speedmap.reporting.throughput import images_per_second
from speedmap.results import records
from speedmap.results.cell_result import NAMES, CellResult, gather
from speedmap.results.reported import Manifest
from speedmap.results.speed import Speed

PRECISIONS = ("fp16", "int8")
HEAD = (
    "Device",
    "Backend",
    "Model",
    "Torch ms",
    "Torch mAP",
    "FP16 ms",
    "FP16 mAP",
    "INT8 ms",
    "INT8 mAP",
    "Data",
    "Date",
)
NOTE = (
    "Speed: median milliseconds of one image through the engine alone. mAP: COCO mAP50-95 in points. Of engines with "
    "static input, or with dynamic input where more precisions were timed so; of torch with dynamic input. The "
    "precision is the one that was asked for; the tables behind the links say which one ran. ?: of a run that was "
    "disturbed, unstable or ill known; its table says more. [index.csv](index.csv) holds the same unrounded, with all "
    "warnings, to be sorted by any column."
)
RATE = " images/s"
RATES = tuple(f"{precision.upper()}{RATE}" for precision in PRECISIONS)
RATE_NOTE = " images/s: the most of any batch of several images, which stands behind it."
DOUBTFUL = " ?"


def write(out: Path, csv: Path) -> None:
    """List all that is published in the folder of `out`."""
    listed = entries(out.parent)
    with storage.atomic(csv) as temporary:
        pd.DataFrame(listed).to_csv(temporary, index=False)
    with storage.atomic(out) as temporary:
        temporary.write_text(render(listed), "utf-8")


def entries(root: Path) -> list[dict]:
    """List the published folders below `root` by device, backend and version, each model as in its own table."""
    manifests = {folder: records.read(folder / folders.MANIFEST, Manifest) for folder in folders.manifests(root)}
    ordered = sorted(manifests.items(), key=lambda item: (item[1].device, item[1].backend, item[1].version))
    return [line for folder, facts in ordered for line in _lines(folder, facts)]


def render(found: list[dict]) -> str:
    """Write the index as markdown, each device linked to its table."""
    rates = [name for name in RATES if any(name in line for line in found)]
    head, note = [*HEAD[:-2], *rates, *HEAD[-2:]], f"{NOTE}{RATE_NOTE if rates else ''}"
    lines = [[f"[{line['Device']}]({line['Folder']}/table.md)", *_shown(line, head)] for line in found]
    return f"# Published results\n\n{table(head, lines)}\n\n{note}\n"


def _shown(line: dict, head: list[str]) -> list[str]:
    texts = {name: _text(name, line.get(name), line.get(f"{name} quotable")) for name in head[1:]}
    reached = {name: f"{texts[name]} at {line[f'{name} batch']}" for name in RATES if name in line and name in texts}
    return list((texts | reached).values())


def _text(name: str, value: str | float | None, quotable: bool | None) -> str:
    digits = 2 if name.endswith("ms") else 0 if name.endswith(RATE) else 1
    doubt = DOUBTFUL if quotable is False else ""
    return f"{value:.{digits}f}{doubt}" if isinstance(value, float) else value or ""


def _lines(folder: Path, facts: Manifest) -> list[dict]:
    rows = gather(folders.recorded(folder))
    return [
        {"Device": facts.device, "Backend": title(facts), "Model": model,
         **figures(rows, facts.backend, model), "Data": _data(rows), "Date": facts.published[:10],
         "Folder": folder.name}
        for model in dict.fromkeys(row.cell.model for row in rows)
    ]  # fmt: skip


def figures(rows: list[CellResult], backend: str, model: str) -> dict[str, float | str | bool | None]:
    """Return a model's medians and mAPs: torch, then the backend's precisions; None where there is none.

    Beside each median whether it may be quoted, and what its run warned of.
    """
    rows = [row for row in rows if row.cell.model == model and not row.invalid]
    several = [row for row in rows if row.cell.batch > 1]
    rows = [row for row in rows if row.cell.batch == 1]
    groups = {"Torch": [row for row in rows if (row.cell.backend, row.cell.shape) == ("torch", "dynamic")]}
    typed = [row for row in rows if row.cell.backend == backend]
    timed = [(row.cell.shape, row.cell.precision) for row in typed if row.speed]
    shape = max(("static", "dynamic"), key=lambda shape: sum((shape, precision) in timed for precision in PRECISIONS))
    for precision in PRECISIONS:
        groups[precision.upper()] = [row for row in typed if (row.cell.shape, row.cell.precision) == (shape, precision)]
    return _columns(groups, FIGURES) | _columns(groups, DOUBTS) | _throughputs(several, backend)


def _columns(groups: dict[str, list[CellResult]], columns: dict) -> dict:
    return {f"{name} {key}": value(group) for name, group in groups.items() for key, value in columns.items()}


def _throughputs(rows: list[CellResult], backend: str) -> dict[str, float | int]:
    """Return the most images a second of each precision and the batch that reaches it; nothing without batches."""
    columns: dict[str, float | int] = {}
    for precision in PRECISIONS:
        wanted = [row for row in rows if (row.cell.backend, row.cell.precision) == (backend, precision) and row.speed]
        if wanted:
            best = max(wanted, key=images_per_second)
            columns[f"{precision.upper()}{RATE}"] = images_per_second(best)
            columns[f"{precision.upper()}{RATE} batch"] = best.cell.batch
            columns[f"{precision.upper()}{RATE} quotable"] = best.speed.quotable
    return columns


def _timed(rows: list[CellResult]) -> Speed | None:
    return next((row.speed for row in rows if row.speed), None)


def _speed(rows: list[CellResult]) -> float | None:
    return (speed := _timed(rows)) and speed.summary.median_ms


def _map(rows: list[CellResult]) -> float | None:
    return next((100 * row.accuracy.metrics.map for row in rows if row.accuracy), None)


def _quotable(rows: list[CellResult]) -> bool | None:
    return (speed := _timed(rows)) and speed.quotable


def _warnings(rows: list[CellResult]) -> str | None:
    return (speed := _timed(rows)) and "; ".join(map(words, speed.warnings))


FIGURES = {"ms": _speed, "mAP": _map}
DOUBTS = {"ms quotable": _quotable, "ms warnings": _warnings}


def _data(rows: list[CellResult]) -> str:
    return next((row.accuracy.dataset.name for row in rows if row.accuracy), "")


def title(facts: Manifest) -> str:
    """Name a backend and its version."""
    return f"{NAMES.get(facts.backend, facts.backend)} {facts.version}"
