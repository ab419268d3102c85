"""Measure speed and mAP of an engine that was built elsewhere."""

from pathlib import Path

from speedmap import storage
from speedmap.accuracy import detect, evaluate
from speedmap.engines import registry
from speedmap.machine import environment, gpu_lease
from speedmap.results import metadata, records
from speedmap.results.cell import Cell
from speedmap.results.measured import Accuracy, AccuracyProtocol, Artefact, Audit, Speed, SpeedProtocol
from speedmap.results.prepared import Dataset
from speedmap.run.job import job
from speedmap.timing import speed


def measure_foreign(backend: str, name: str, given: dict, data: Dataset, asked: dict, code: str, out: dict) -> None:
    """Write an engine's records; given: its file and precision. asked: imgsz, speed, accuracy. out: paths by name."""
    runtime, engine, imgsz = registry.backend(backend), Path(out["engine"]), asked["imgsz"]
    protocols = SpeedProtocol(**asked["speed"]), AccuracyProtocol(**asked["accuracy"])
    with gpu_lease.lease(runtime.on_gpu, alone=True) as run:
        taken = runtime.take(Path(given["engine"]), engine, imgsz, len(data.categories))
        cell = Cell(backend, name, given["precision"], taken.shape)
        audit = Audit(precision=taken.precision or cell.precision, shares=taken.shares)
        timed = speed.measure(runtime, cell, engine, data, imgsz, protocols[0], audit)
        results, session = detect.detect(runtime, cell, engine, data, imgsz, protocols[1])
    evaluate.write_detections(Path(out["detections"]), results)
    parts = timed, evaluate.score(results, data, imgsz, session)
    more = Artefact(engine_sha256=storage.sha256(engine)), environment.capture(runtime.platform()), code, run
    for kind, part, protocol in zip((Speed, Accuracy), parts, protocols, strict=True):
        records.write(Path(out[kind.__name__.lower()]), metadata.complete(kind, part, cell, protocol, *more))


if __name__ == "__main__":
    with job(snakemake.log[0]):
        dataset = records.read(Path(snakemake.input.dataset), Dataset)
        known = {"name": snakemake.wildcards.name, "data": dataset, "out": dict(snakemake.output.items())}
        measure_foreign(**known, **snakemake.params.facts)
