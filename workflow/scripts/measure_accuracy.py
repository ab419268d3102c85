"""Score what an engine detects."""

from pathlib import Path

from speedmap import accuracy, backends, gpus, measurement, records
from speedmap.cells import Cell
from speedmap.diagnose import job


def main(
    cell: Cell, engine: str, built: str, dataset: str, imgsz: int, protocol: dict, code: str, out: str, found: str
) -> None:
    """Write the accuracy record of a cell, and the COCO result file behind it."""
    module, data = backends.engine(cell.backend), records.read(Path(dataset))
    with gpus.lease(module, alone=False) as run:
        record, detections = accuracy.score(module, cell, Path(engine), data, imgsz, protocol)
    accuracy.write_detections(Path(found), detections)
    record = record | {"runs": [run]}
    records.write(Path(out), measurement.complete(record, cell, module, records.read(Path(built)), protocol, code))


if __name__ == "__main__":
    with job(snakemake.log[0]):
        main(
            Cell(snakemake.params.backend, **dict(snakemake.wildcards)),
            snakemake.input.engine,
            snakemake.input.record,
            snakemake.input.dataset,
            snakemake.params.imgsz,
            snakemake.params.protocol,
            snakemake.params.code,
            snakemake.output.record,
            snakemake.output.detections,
        )
