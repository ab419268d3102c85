"""Time an engine."""

from pathlib import Path

from speedmap.engines import registry
from speedmap.errors.explain import job
from speedmap.machine import gpu_lease
from speedmap.results import metadata, records
from speedmap.results.cell import Cell
from speedmap.timing import speed


def main(
    cell: Cell,
    engine: str,
    built: str,
    verified: str | None,
    dataset: str,
    imgsz: int,
    protocol: dict,
    code: str,
    attempt: int,
    out: str,
) -> None:
    """Write the speed record of a cell."""
    audit = records.read(Path(verified)) if verified else None
    data = records.read(Path(dataset))
    module, described = registry.engine(cell.backend), metadata.built(Path(engine), Path(built))
    with gpu_lease.lease(module, alone=True) as run:
        record = speed.measure(module, cell, Path(engine), data, imgsz, protocol, audit) | {"runs": [run]}
    speed.demand_stable(record, attempt)
    records.write(Path(out), metadata.complete(record, cell, module, described, protocol, code))


if __name__ == "__main__":
    with job(snakemake.log[0]):
        main(
            Cell.of(snakemake.params.backend, dict(snakemake.wildcards)),
            snakemake.input.engine,
            snakemake.input.record,
            snakemake.input.get("verify"),
            snakemake.input.dataset,
            snakemake.params.imgsz,
            snakemake.params.protocol,
            snakemake.params.code,
            snakemake.resources.attempt,
            snakemake.output[0],
        )
