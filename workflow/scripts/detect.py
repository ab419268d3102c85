"""Detect in a part of the data set."""

from pathlib import Path

from speedmap.accuracy import detect
from speedmap.engines import registry
from speedmap.errors.explain import job
from speedmap.machine import gpu_lease
from speedmap.results import metadata, records
from speedmap.results.cell import Cell


def main(
    cell: Cell, part: str, engine: str, built: str, dataset: str, imgsz: int, protocol: dict, code: str, out: str
) -> None:
    """Write what a cell's engine detects in a part of the data set, such as `2-of-3`."""
    module, data = registry.engine(cell.backend), records.read(Path(dataset))
    described = metadata.built(Path(engine), Path(built))
    number, parts = map(int, part.split("-of-"))
    with gpu_lease.lease(module, alone=False) as run:
        found = detect.detect(module, cell, Path(engine), data, imgsz, protocol, (number, parts)) | {"runs": [run]}
    records.write(Path(out), metadata.complete(found, cell, module, described, protocol, code), indent=None)


if __name__ == "__main__":
    with job(snakemake.log[0]):
        wildcards = snakemake.wildcards
        main(
            Cell(snakemake.params.backend, wildcards.model, wildcards.precision, wildcards.shape),
            wildcards.scatteritem,
            snakemake.input.engine,
            snakemake.input.record,
            snakemake.input.dataset,
            snakemake.params.imgsz,
            snakemake.params.protocol,
            snakemake.params.code,
            snakemake.output[0],
        )
