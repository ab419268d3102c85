"""Measure speed and mAP of an engine that was built elsewhere."""

from pathlib import Path

from speedmap import storage
from speedmap.accuracy import detect, evaluate
from speedmap.engines import registry
from speedmap.machine import environment, gpu_lease
from speedmap.results import metadata, records
from speedmap.results.accuracy import Accuracy
from speedmap.results.audit import Audit
from speedmap.results.cell import Cell
from speedmap.results.environment import Artefact
from speedmap.results.inventory import Dataset
from speedmap.results.protocols import Protocols
from speedmap.results.speed import Speed
from speedmap.run.job import run_step
from speedmap.run.settings import Foreign
from speedmap.timing import speed


def measure_foreign(backend: str, name: str, foreign: dict, dataset: str, protocols: dict, code: str, out: str) -> None:
    """Write an engine and its records into the folder `out`."""
    given, asked = Foreign(**foreign), records.convert(protocols, Protocols)
    runtime, data, engine = registry.backend(backend), records.read(Path(dataset), Dataset), Path(out, "engine")
    with gpu_lease.lease(runtime.on_gpu, alone=True) as run:
        taken = runtime.take(Path(given.engine), engine, asked.imgsz, len(data.categories))
        cell = Cell(backend, name, given.precision, taken.shape)
        audit = Audit(precision=taken.precision or cell.precision, shares=taken.shares)
        timed = speed.measure(runtime, cell, engine, data, asked.imgsz, asked.speed, audit)
        results, session = detect.detect(runtime, cell, engine, data, asked.imgsz, asked.accuracy)
    evaluate.write_detections(Path(out, "detections.json"), results)
    evaluated = evaluate.score(results, data, asked.imgsz, session)
    more = Artefact(engine_sha256=storage.sha256(engine)), environment.capture(runtime.platform()), code, run
    records.write(Path(out, "speed.json"), metadata.complete(Speed, timed, cell, asked.speed, *more))
    records.write(Path(out, "accuracy.json"), metadata.complete(Accuracy, evaluated, cell, asked.accuracy, *more))


if __name__ == "__main__":
    run_step(measure_foreign, snakemake, out=str(Path(snakemake.output.engine).parent))
