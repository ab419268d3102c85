"""The speed job: time one image or one batch at a time through an engine, over the data set's mix of input shapes."""

import random
import time
from collections import defaultdict
from contextlib import AbstractContextManager, nullcontext
from itertools import cycle, islice
from pathlib import Path
from statistics import median

import numpy as np
from msgspec import structs

from speedmap.dataset import images, letterbox
from speedmap.engines.interface import Backend, Session
from speedmap.machine.monitor import watch
from speedmap.model import postprocess
from speedmap.results import records
from speedmap.results.audit import Audit
from speedmap.results.cell import Cell
from speedmap.results.environment import Opened
from speedmap.results.inventory import Dataset, Image
from speedmap.results.protocols import SpeedProtocol
from speedmap.results.speed import Phases, ShapeMedian, Timed, Timing
from speedmap.timing import stats
from speedmap.timing.protocol import Protocol, collect, runner, warm_up

PHASE_IMAGES = 50  # images that go through the whole way from pixels to boxes
LEAST_PHASES, LEAST_BATCHES = 3, 30  # batches that do so, and that are timed, however large they are
PHASES = ("letterbox", "load", "run", "fetch", "nms", "end_to_end")
SEED = 0  # of the order in which shapes follow one another


def measure(
    backend: Backend,
    cell: Cell,
    engine: Path,
    data: Dataset,
    imgsz: int,
    protocol: SpeedProtocol,
    audit: Audit | None,
) -> Timed:
    """Time an engine over the data set's mix of shapes, and the phases around it, the machine watched meanwhile.

    audit: of the engine; None for torch, which runs what it says.
    """
    dynamic = cell.shape == "dynamic"
    order = sequence(data.images, imgsz, dynamic)
    inputs, timing = load(order, imgsz, dynamic, cell.batch), protocol_of(protocol, cell.batch)
    with backend.session(engine, cell) as session:
        watched = watch(backend.on_gpu)
        measured = time_engine(session, *inputs, timing, watched)
        files = [file for _, file in order]
        phases = time_phases(session, files, imgsz, dynamic, protocol.conf, protocol.iou, cell.batch)
        opened, launched = records.convert(session.facts, Opened), 1 + session.occupies
    alternatives = {}
    for name, another in backend.alternatives().items():
        with another(engine, cell) as session:
            alternatives[name] = time_engine(session, *inputs, timing, nullcontext()).summary
    return Timed(
        **structs.asdict(measured),
        phases=phases,
        alternatives=alternatives,
        imgsz=imgsz,
        dataset=data.named(),
        session=opened,
        audit=audit or Audit(precision=opened.precision, shares={opened.precision: 1.0}),
        watch=watched.result,
        inferences=launched * len(measured.samples_ms),
    )


def protocol_of(asked: SpeedProtocol, batch: int) -> Protocol:
    """Return how long a batch is timed: `min_samples` images at least, but not fewer than LEAST_BATCHES batches."""
    images_least = -(-asked.min_samples // batch)
    return Protocol(asked.warmup_s, asked.min_s, max(images_least, min(LEAST_BATCHES, asked.min_samples)))


def sequence(listed: list[Image], imgsz: int, dynamic: bool) -> list[tuple[str, str]]:
    """Order a data set's images at random, but always the same: (input shape like `480x640`, image file)."""
    shuffled = random.Random(SEED).sample(listed, len(listed))
    return [("{}x{}".format(*letterbox.place(image.height, image.width, imgsz, dynamic).shape), image.file)
            for image in shuffled]  # fmt: skip


def load(
    order: list[tuple[str, str]], imgsz: int, dynamic: bool, batch: int = 1
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Load an input of each shape: one image, or a static batch of the first ones, over again where these are fewer.

    Returns these by shape, and the shapes as they follow one another.
    """
    if batch == 1:
        inputs = {shape: images.load(Path(file), imgsz, dynamic)[0] for shape, file in dict(order).items()}
    else:
        chosen = islice(cycle(order), batch)
        inputs = {order[0][0]: np.concatenate([images.load(Path(file), imgsz, dynamic)[0] for _, file in chosen])}
    return inputs, [shape for shape, _ in order] if dynamic else list(inputs)


def time_engine(
    session: Session,
    inputs: dict[str, np.ndarray],
    mix: list[str],
    protocol: Protocol,
    watched: AbstractContextManager,
) -> Timing:
    """Time the engine alone on inputs by their shape, which follow one another as in the mix.

    watched: entered for the timed part.
    """
    run = runner(session, inputs)
    for shape in inputs:  # the first run of a shape may compile, tune or capture
        run(shape)
    warm_up(run, inputs, protocol)
    with watched:
        samples = collect(run, mix, protocol)
    return sum_up(samples)


def sum_up(samples: list[tuple[str, float]]) -> Timing:
    """Sum up (input shape, milliseconds) in the order of the runs, and doubt what may be doubted."""
    by_shape = defaultdict(list)
    for shape, value in samples:
        by_shape[shape].append(value)
    per_shape = {shape: ShapeMedian(count=len(times), median_ms=median(times)) for shape, times in by_shape.items()}
    values = [value for _, value in samples]
    relative = [value / per_shape[shape].median_ms for shape, value in samples]  # so that the mix does not count
    return Timing(
        samples_ms=[round(value, 5) for value in values],
        shapes=[shape for shape, _ in samples],
        summary=stats.summary(values, stats.drift(relative)),
        doubts=[*stats.doubts(relative), *(stats.gap(values) if len(by_shape) > 1 else ())],
        per_shape=per_shape,
    )


def time_phases(
    session: Session, files: list[str], imgsz: int, dynamic: bool, conf: float, iou: float, batch: int = 1
) -> Phases:
    """Time the way from decoded images to boxes, phase by phase on the host's clock, and end to end.

    batch: images that go this way together; times are of all of them.
    """
    phases, device = defaultdict(list), defaultdict(list)
    for group in _groups(files, batch):
        pixels = [images.read(Path(file)) for file in group]
        placements = [letterbox.place(*image.shape[:2], imgsz, dynamic) for image in pixels]
        marks = [time.perf_counter()]
        inputs = [images.letterbox(*each) for each in zip(pixels, placements, strict=True)]
        joined = inputs[0] if batch == 1 else np.concatenate(inputs)
        marks.append(time.perf_counter())
        session.load(joined)
        marks.append(time.perf_counter())
        session.run()
        marks.append(time.perf_counter())
        output = session.fetch()
        marks.append(time.perf_counter())
        for rows in output:
            postprocess.detect(rows, conf, iou, postprocess.MAX_DET)
        marks.append(time.perf_counter())
        for phase, seconds in zip(PHASES, (*np.diff(marks), marks[-1] - marks[0]), strict=True):
            phases[phase].append(seconds * 1e3)
        for phase, value in session.last.items():
            device[phase].append(value)
    return Phases(
        **{phase: median(values) for phase, values in phases.items()},
        device={phase: median(values) for phase, values in device.items()},
    )


def _groups(files: list[str], batch: int) -> list[list[str]]:
    """Take images in batches: PHASE_IMAGES in all, over again where that is less than LEAST_PHASES whole batches."""
    if batch == 1:
        return [[file] for file in files[:PHASE_IMAGES]]
    rounds = cycle(files)
    return [list(islice(rounds, batch)) for _ in range(max(LEAST_PHASES, PHASE_IMAGES // batch))]
