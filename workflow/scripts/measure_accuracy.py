"""Detect in the whole data set, and score what was found."""

from pathlib import Path

from speedmap.accuracy import detect, evaluate
from speedmap.engines import registry
from speedmap.machine import environment, gpu_lease
from speedmap.results import metadata, records
from speedmap.results.accuracy import Accuracy
from speedmap.results.cell import Cell
from speedmap.results.inventory import Dataset
from speedmap.results.protocols import AccuracyProtocol
from speedmap.run.job import run_step


def measure_accuracy(
    cell: Cell, engine: str, record: str, dataset: str, imgsz: int, protocol: dict, code: str, out: str, detections: str
) -> None:
    """Write the accuracy record of a cell, and the COCO result file behind it."""
    backend, data = registry.backend(cell.backend), records.read(Path(dataset), Dataset)
    artefact, limits = metadata.built(Path(engine), Path(record)), AccuracyProtocol(**protocol)
    with gpu_lease.lease(backend.on_gpu, alone=False) as run:
        results, session = detect.detect(backend, cell, Path(engine), data, imgsz, limits)
    evaluate.write_detections(Path(detections), results)
    evaluated, machine = evaluate.score(results, data, imgsz, session), environment.capture(backend.platform())
    records.write(Path(out), metadata.complete(Accuracy, evaluated, cell, limits, artefact, machine, code, run))


if __name__ == "__main__":
    run_step(measure_accuracy, snakemake, cell=Cell.of(snakemake.wildcards))
