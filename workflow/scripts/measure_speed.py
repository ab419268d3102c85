"""Time an engine."""

from pathlib import Path

from speedmap.engines import registry
from speedmap.machine import gpu_lease
from speedmap.results import metadata, records
from speedmap.results.cell import Cell
from speedmap.run.job import job
from speedmap.timing import speed


def measure_speed(cell: Cell, inputs: dict, imgsz: int, protocol: dict, code: str, attempt: int, out: str) -> None:
    """Write the speed record of a cell; inputs: engine, its record, its verification if there is one, and dataset."""
    paths = {name: Path(path) for name, path in inputs.items()}
    audit = records.read(paths["verification"]) if "verification" in paths else None
    backend, built = registry.backend(cell.backend), metadata.built(paths["engine"], paths["record"])
    with gpu_lease.lease(backend.on_gpu, alone=True) as run:
        data = records.read(paths["dataset"])
        measured = speed.measure(backend, cell, paths["engine"], data, imgsz, protocol, audit) | {"runs": [run]}
    speed.demand_stable(measured, attempt)
    records.write(Path(out), metadata.complete(measured, cell, backend.platform(), built, protocol, code))


if __name__ == "__main__":
    with job(snakemake.log[0]):
        measure_speed(
            cell=Cell.of(snakemake.wildcards),
            inputs=dict(snakemake.input.items()),
            imgsz=snakemake.params.imgsz,
            protocol=snakemake.params.protocol,
            code=snakemake.params.code,
            attempt=snakemake.resources.attempt,
            out=snakemake.output[0],
        )
