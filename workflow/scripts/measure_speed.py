"""Time an engine."""

from pathlib import Path

from speedmap.engines import registry, usage
from speedmap.machine import environment, gpu_lease
from speedmap.results import metadata, records
from speedmap.results.cell import Cell
from speedmap.results.inventory import Dataset
from speedmap.results.prepared import Verification
from speedmap.results.protocols import SpeedProtocol
from speedmap.results.speed import Speed
from speedmap.run.job import run_step
from speedmap.timing import speed


def measure_speed(
    cell: Cell, engine: str, record: str, dataset: str, imgsz: int, protocol: dict, code: str, out: str,
    verification: str | None = None,
) -> None:  # fmt: skip
    """Write a cell's speed record, and how to use its engine."""
    audit = records.read(Path(verification), Verification).audit if verification else None
    backend, artefact = registry.backend(cell.backend), metadata.built(Path(engine), Path(record))
    data, limits = records.read(Path(dataset), Dataset), SpeedProtocol(**protocol)
    with gpu_lease.lease(backend.on_gpu, alone=True) as run:
        timed = speed.measure(backend, cell, Path(engine), data, imgsz, limits, audit)
    captured = environment.capture(backend.platform())
    made = metadata.complete(Speed, timed, cell, limits, artefact, captured, code, run)
    records.write(usage.beside(Path(out)), usage.describe(made, data))
    records.write(Path(out), made)


if __name__ == "__main__":
    run_step(measure_speed, snakemake, cell=Cell.of(snakemake.wildcards))
