"""Records as the jobs write them, of made-up figures: the one place where tests get theirs from."""

from pathlib import Path

from msgspec import structs

from speedmap.results import records
from speedmap.results.accuracy import Accuracy, Draws, Metrics
from speedmap.results.audit import Agreement, Audit
from speedmap.results.cell import Cell
from speedmap.results.cell_result import CellResult
from speedmap.results.environment import Artefact, Environment, Images, Opened, Run
from speedmap.results.inventory import Category, Dataset, Image
from speedmap.results.prepared import Choice, ConvCost, Engine, Peaks, Verification, Weights
from speedmap.results.protocols import AccuracyProtocol, SpeedProtocol
from speedmap.results.reported import Experiment, Machine, Measured, Provenance, Source
from speedmap.results.speed import Phases, ShapeMedian, Speed, Summary
from speedmap.results.speedup import Speedup
from speedmap.results.timing_findings import Doubt
from speedmap.results.watch import Watch

PLATFORM = {"gpu": "NVIDIA RTX 2060", "driver": "550", "tensorrt": "10.3.0"}
SHA, OTHER_SHA = "0" * 64, "1" * 64
RUN = Run(gpu=None, start="2026-01-02T03:04:00.000000+00:00", end="2026-01-02T03:04:05.000000+00:00")
IMAGES = Images(name="tiny", images=4, sha256=SHA, calibration_sha256=SHA)
SPEED = {"conf": 0.25, "iou": 0.45, "warmup_s": 0, "min_s": 0, "min_samples": 1}
ACCURACY = {"conf": 0.001, "iou": 0.65, "max_det": 300}
DRAWS = (0.001, -0.001)


def environment(**changes):
    facts = {"cpu": "CPU", "system": "Linux", "versions": {"numpy": "2"}, "platform": dict(PLATFORM), "code": "0" * 12}
    return Environment(**{**facts, "commit": "c" * 40, "dirty": False, **changes})


def identity(cell, protocol, digest, facts):
    """What the records of both kinds say beside their figures."""
    return {
        "cell": cell,
        "protocol": protocol,
        "artefact": Artefact(engine_sha256=digest),
        "environment": environment(**facts),
        "measured": "2026-01-02T03:04:05+00:00",
        "runs": [structs.replace(RUN)],
        "imgsz": 640,
        "dataset": structs.replace(IMAGES),
        "session": Opened(),
    }


def summary(median=2.0, low=None, high=None, count=3, p90=None):
    return Summary(
        count=count,
        median_ms=median,
        median_low_ms=median if low is None else low,
        median_high_ms=median if high is None else high,
        p90_ms=p90,
        p99_ms=None,
        min_ms=median,
        mean_ms=median,
        drift=0.0,
    )


def watch(*warnings):
    return Watch(alive=True, error=None, setting={"gpu": "NVIDIA RTX 2060"}, count=1, ranges={}, untold=[], reasons=[],
                 neighbours={}, foreign_pids=[], warnings=list(warnings), samples=[])  # fmt: skip


def speed(cell, median=2.0, low=None, high=None, ran=None, invalid=(), warnings=(), digest=SHA, **facts):
    """A speed record; warnings: its doubts, and what was seen to disturb it. facts: of the environment."""
    ran = ran or cell.precision
    doubts = [warning for warning in warnings if isinstance(warning, Doubt)]
    seen = [warning for warning in warnings if warning not in doubts]
    agreement = Agreement(scores=0.999, boxes=0.99, images=8)
    return Speed(
        **identity(cell, SpeedProtocol(**SPEED), digest, facts),
        samples_ms=[1.9, 2.0, 2.0, 2.2],
        shapes=["640x640", "320x640"],
        summary=summary(median, low, high),
        doubts=doubts,
        per_shape={
            "640x640": ShapeMedian(count=3, median_ms=2.0),
            "320x640": ShapeMedian(count=1, median_ms=1.0),
        },
        phases=Phases(letterbox=1.0, load=1.0, run=median, fetch=1.0, nms=1.0, end_to_end=5.0),
        alternatives={},
        audit=Audit(precision=ran, shares={ran: 1.0}, agreement=agreement, invalid=list(invalid)),
        watch=watch(*seen),
    )


def accuracy(cell, score=0.4, error=0.01, draws=DRAWS, digest=SHA, **facts):
    """An accuracy record; error: the standard error of its mAP."""
    names = ("map", "map50", "map75", "map_small", "map_medium", "map_large")
    return Accuracy(
        **identity(cell, AccuracyProtocol(**ACCURACY), digest, facts),
        metrics=Metrics(**dict.fromkeys(names, score), map_se=error),
        bootstrap=Draws(map=list(draws)),
        warnings=[],
    )


def engine(size=10_000_000, digest=SHA, **options):
    return Engine(engine_sha256=digest, onnx_sha256=SHA, platform=dict(PLATFORM), bytes=size, options=options,
                  build={"build_s": 2.0}, runs=[structs.replace(RUN)])  # fmt: skip


def speedup(cell, ratio=1.1, digest=SHA):
    artefact, twin = Artefact(engine_sha256=digest), Artefact(engine_sha256=OTHER_SHA)
    figures = {
        "ratio": ratio,
        "low": ratio,
        "high": ratio,
        "rounds": 40,
        "openings": 4,
        "first_ms": ratio,
        "second_ms": 1.0,
    }
    return Speedup(cell=cell, artefact=artefact, twin=twin, runs=[], **figures)


def verification(*invalid, precision="fp16"):
    audit = Audit(precision=precision, shares={precision: 1.0}, invalid=list(invalid))
    return Verification(engine_sha256=SHA, audit=audit)


def weights(random=False):
    return Weights(model="yolov5s", source="a.pt", weights_sha256=SHA, parameters=1, names=None, random=random,
                   engine_sha256=SHA)  # fmt: skip


def image(file, number=None, size=(64, 64), digest=SHA):
    return Image(file=str(file), height=size[0], width=size[1], sha256=digest, pixels_sha256=digest, id=number)


def dataset(images=4, calibration=(), **changes):
    """An inventory; images: how many, or the list of them. calibration: files."""
    listed = [image(f"{number}.jpg", number) for number in range(images)] if isinstance(images, int) else images
    facts = {"name": "tiny", "annotations": "instances.json", "sha256": SHA, "categories": [Category(id=1, name="a")],
             "boxes": 1, "shapes": {"64x64": len(listed)}, "images": listed,
             "calibration": [image(file) for file in calibration]}  # fmt: skip
    return Dataset(**{**facts, **changes})


def experiment(**changes):
    """A config of one model, of which nothing is left out."""
    facts = {"models": {"yolov5s": Source(weights="a.pt")}, "precisions": ["fp16", "int8"],
             "shapes": ["dynamic", "static"], "torch": False, "skip": [], "imgsz": 640,
             "accuracy": AccuracyProtocol(**ACCURACY), "speed": SpeedProtocol(**SPEED)}  # fmt: skip
    return Experiment(**{**facts, **changes})


def choice(count=20, kept=8):
    """A choice of layers: each costs more than the one before, and those from `kept` on stay in float."""
    table = [ConvCost(conv=f"c{i}", share=0.1, error=i / 9, in_float=i >= kept) for i in range(count)]
    in_float = [line.conv for line in table if line.in_float]
    return Choice(
        in_float=in_float, table=table, ranges={"act": "mse"}, target=0.001, reached=0.0042, met=False, int8_share=0.9
    )


def peaks():
    return Peaks(device="GPU", by="torch", operations={"fp16": 1e12, "int8": None}, bytes=1e11, runs=[RUN])


def provenance():
    machine = Machine(cpu="CPU <1>", system="Linux", versions={"numpy": "2"})
    return Provenance(config=experiment(), config_sha256=SHA, machine=machine, watched={"gpu": "RTX"}, platforms={},
                      datasets={}, figures={})  # fmt: skip


def measured(cell, figure="speed", day=1, value=0.5, low=0.4, high=0.6, **changes):
    """A line of the history."""
    facts = {"measured": f"2026-01-0{day}T00:00:00+00:00", "platform": dict(PLATFORM), "valid": True} | changes
    return Measured(cell=cell, figure=figure, value=value, low=low, high=high, **facts)


def result(backend="tensorrt", model="yolov5s", precision="fp16", shape="static", batch=1, **facts):
    """A cell with all its records; facts: what `speed` and `accuracy` take."""
    cell = Cell(backend, model, precision, shape, batch)
    scored = {key: facts.pop(key) for key in ("score", "error", "draws") if key in facts}
    return CellResult(cell, speed(cell, **facts), accuracy(cell, **scored), engine())


def write(path, record):
    """Write a record, or where a file need only be there a text."""
    if isinstance(record, str):
        Path(path).write_text(record)
    else:
        records.write(Path(path), record)
    return str(path)
