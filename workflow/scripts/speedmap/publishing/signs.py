"""Signs that published records were edited: what follows from their raw samples, and from one another, is made again.

Who makes up samples and all that follows from them is not found out; who changes a figure, a mark or a table alone is.
Differences of two mAPs are not looked at, nor speed-ups whose rounds were not kept yet.
"""

import math
import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pandas as pd
from msgspec import structs

from speedmap import __version__
from speedmap.accuracy.paired_difference import standard_error
from speedmap.publishing import provenance
from speedmap.reporting.throughput import images_per_second
from speedmap.results import records
from speedmap.results.accuracy import Accuracy
from speedmap.results.cell_result import CellResult
from speedmap.results.inventory import PublishedDataset
from speedmap.results.prepared import Verification
from speedmap.results.reported import Manifest, Provenance
from speedmap.results.speed import Speed
from speedmap.results.speedup import Speedup
from speedmap.timing.alternating import OPENINGS, speedup
from speedmap.timing.speed import sum_up

ROUNDED = 5e-5  # records round samples to 1e-5 ms, and ratios of small ones less finely
CLOCK = timedelta(seconds=1)  # that moments told to the second may lie before those told exactly
DAY = timedelta(days=1)  # that clocks of two machines may differ by
FIGURE = re.compile(r"[0-9]+[.]?([0-9]*)(?= ms|<|$)")
LISTED = ["p50 ms", "mAP", "float / INT8"]  # columns of table.csv that records are held against
AGAIN = "publish what was measured, unchanged"


def edited(folder: Path, facts: Manifest, rows: list[CellResult]) -> list[str]:
    """Return each sign of editing in a published folder that is whole, a line each; [] for none."""
    signs = [sign for row in rows for sign in _of_cell(folder, row, facts)]
    tables = (*_csv(folder / "table.csv", rows), *_page(folder / "table.md", rows))
    return [f"{sign}; {AGAIN}" for sign in (*signs, *_provenance(folder, rows), *tables)]


def _of_cell(folder: Path, row: CellResult, facts: Manifest) -> Iterator[str]:
    cell = folder / row.title
    for number, record in enumerate(filter(None, (row.speed, *row.builds)), 1):
        name = "speed.json" if number == 1 else f"speed.{number}.json"
        yield from (f"{cell / name}: {sign}" for sign in (*_speed(record), *_times(record, facts)))
    if row.accuracy:
        signs = (*_accuracy(row.accuracy), *_times(row.accuracy, facts))
        yield from (f"{cell / 'accuracy.json'}: {sign}" for sign in signs)
    if row.speedup:
        yield from (f"{cell / 'speedup.json'}: {sign}" for sign in _turns(row.speedup))
    if row.engine:
        yield from (f"{cell}: {sign}" for sign in _engine(row, cell / "verify.json"))


def _speed(record: Speed) -> Iterator[str]:
    """Yield what of a speed does not follow from its samples."""
    if len(record.shapes) != len(record.samples_ms):
        yield f"has {len(record.samples_ms)} samples and the shapes of {len(record.shapes)}"
        return
    again = sum_up(list(zip(record.shapes, record.samples_ms, strict=True)))
    for name, value in structs.asdict(again.summary).items():
        if not _near(getattr(record.summary, name), value):
            yield f"its {name}, {getattr(record.summary, name)}, is not that of its samples, {value}"
    if record.speedmap == __version__ and list(map(type, again.doubts)) != list(map(type, record.doubts)):
        yield "its doubts are not those that its samples give"
    taken = sum((_moment(run.end) - _moment(run.start)).total_seconds() for run in record.runs)
    if sum(record.samples_ms) > 1e3 * taken:
        yield f"its samples sum up to {sum(record.samples_ms) / 1e3:.1f} s, but it ran {taken:.1f} s"


def _turns(record: Speedup) -> Iterator[str]:
    """Yield what of a speed-up does not follow from its rounds."""
    rounds, openings = record.rounds_ms, record.openings
    if openings not in (1, OPENINGS) or len(rounds) % openings:
        yield f"has {len(rounds)} rounds in {openings} openings, not as many in each of {OPENINGS}"
        return
    for name, value in speedup(rounds, openings).items() if rounds else ():
        if not _near(getattr(record, name), value):
            yield f"its {name}, {getattr(record, name)}, is not that of its rounds, {value}"


def _near(one: float | None, other: float | None) -> bool:
    return one == other or (one is not None and other is not None and abs(one - other) <= ROUNDED)


def _accuracy(record: Accuracy) -> Iterator[str]:
    """Yield what of a mAP does not fit its bootstrap, in whose draws it lies."""
    draws, metrics = record.bootstrap.map, record.metrics
    if draws and not min(draws) <= metrics.map <= max(draws):
        yield f"its mAP, {metrics.map:.4f}, lies outside of all draws of its bootstrap"
    if not _near(metrics.map_se, standard_error(draws)):
        yield f"its error, {metrics.map_se}, is not that of its bootstrap"
    if max(metrics.map, metrics.map75) > metrics.map50:
        yield "its mAP at an overlap of 0.5 is less than at higher ones"


def times(record: Speed | Accuracy) -> list[str]:
    """List when a record was begun, ended and written."""
    return [text for run in record.runs for text in (run.start, run.end)] + [record.measured]


def is_time(text: str) -> bool:
    """Return whether a text is a time with its zone, which the 31st of June is not."""
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _times(record: Speed | Accuracy, facts: Manifest) -> Iterator[str]:
    """Yield what does not come one after the other: the run, the record, publishing, today."""
    *ran, measured = map(_moment, times(record))
    moments = [*ran, measured + CLOCK, _moment(facts.published) + CLOCK, datetime.now(UTC) + DAY]
    if any(later < earlier for earlier, later in pairwise(moments)):
        yield f"ran from {ran[0]}, was measured {record.measured} and published {facts.published}, which is no order"


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _engine(row: CellResult, verified: Path) -> Iterator[str]:
    """Yield what the records of a cell say differently of its engine."""
    hashes = {(record.artefact.engine_sha256, record.artefact.onnx_sha256) for record in row.measured}
    if hashes - {(row.engine.engine_sha256, row.engine.onnx_sha256)}:
        yield "its records are of different engines"
    if not row.speedup and verified.with_name("speedup.json").is_file():
        yield "speedup.json is of other engines than those that were timed"
    if verified.is_file() and row.speed and row.speed.audit != records.read(verified, Verification).audit:
        yield "speed.json and verify.json say differently what the engine runs"


def _provenance(folder: Path, rows: list[CellResult]) -> Iterator[str]:
    """Yield what environment.json and dataset.json say differently from the records."""
    told = records.read(folder / "environment.json", Provenance)
    again = structs.asdict(provenance.describe(rows, told.config))
    for name in (name for name, value in structs.asdict(told).items() if name != "speedmap" and value != again[name]):
        yield f"{folder / 'environment.json'}: what stands under {name} is not what the records tell"
    data = records.read(folder / "dataset.json", PublishedDataset)
    if data.sha256 not in (hashes := {one.sha256 for one in told.datasets.values()}):
        yield f"{folder / 'dataset.json'}: is of other images than the records ({data.sha256}, not {', '.join(hashes)})"


def _figures(row: CellResult) -> tuple[float | None, float | None]:
    """Return a cell's median in milliseconds and its mAP in points."""
    return row.speed and row.speed.summary.median_ms, row.accuracy and 100 * row.accuracy.metrics.map


def _csv(path: Path, rows: list[CellResult]) -> Iterator[str]:
    """Yield each speed, mAP and speed-up in table.csv that no record has."""
    measured = {row.title: (*_figures(row), row.speedup and row.speedup.ratio) for row in rows}
    try:
        table = pd.read_csv(path).set_index("cell").reindex(columns=LISTED).apply(pd.to_numeric)
    except (ValueError, KeyError, TypeError):
        yield f"{path}: is no table of cells and their figures"
        return
    for cell, shown in table.iterrows():
        for name, its, has in zip(table.columns, shown, measured.get(cell, [None] * len(LISTED)), strict=True):
            if pd.notna(its) and not (has and math.isclose(its, has, rel_tol=1e-9)):
                yield f"{path}: the {name} of {cell}, {its}, is in no record"


def _page(path: Path, rows: list[CellResult]) -> Iterator[str]:
    """Yield each figure in the tables of table.md, a row a model or a batch of it, that no record of the model has."""
    by_model = defaultdict(set)
    for row in rows:
        figures = (*_figures(row), row.cell.batch, images_per_second(row))
        by_model[row.cell.model].update(value for value in figures if value is not None)
    for line in path.read_text("utf-8", errors="replace").splitlines():
        model, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        for text in cells if model in by_model else ():
            number = FIGURE.match(text)
            if number and not any(f"{has:.{len(number[1])}f}" == number[0] for has in by_model[model]):
                yield f"{path}: {text.partition('<')[0]} of {model} is in no record"
