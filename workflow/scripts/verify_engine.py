"""Check an engine before its figures are believed."""

from pathlib import Path

from speedmap import storage
from speedmap.engines import registry
from speedmap.machine import gpu_lease
from speedmap.results import records
from speedmap.results.cell import Cell
from speedmap.results.environment import Run
from speedmap.results.inventory import ImageSet
from speedmap.results.prepared import Verification, Weights
from speedmap.run.job import run_step
from speedmap.verification.verify import verify


def verify_engine(
    cell: Cell, engine: str, onnx: str, reference: str, weights: str, image_set: str, imgsz: int, out: str
) -> None:
    """Write which precision an engine runs, how it agrees with the float32 graph, and why it is invalid if it is."""
    backend, files = registry.backend(cell.backend), records.read(Path(image_set), ImageSet).calibration_files
    paths, random = map(Path, (engine, onnx, reference)), records.read(Path(weights), Weights).random
    with gpu_lease.lease(backend.on_gpu, alone=False) as run:
        audit = verify(backend, cell, *paths, files, imgsz, random)
    digest, runs = storage.sha256(Path(engine)), [records.convert(run, Run)]
    records.write(Path(out), Verification(engine_sha256=digest, audit=audit, runs=runs))


if __name__ == "__main__":
    run_step(verify_engine, snakemake, cell=Cell.of(snakemake.wildcards))
