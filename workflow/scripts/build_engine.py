"""Build an engine from a typed ONNX file."""

from pathlib import Path

from speedmap import storage
from speedmap.engines import registry
from speedmap.machine import gpu_lease
from speedmap.results import records
from speedmap.results.cell import Cell
from speedmap.results.measured import Run
from speedmap.results.prepared import Dataset, Engine
from speedmap.run.job import job


def build_engine(
    cell: Cell, platform: dict, onnx: str, dataset: str, imgsz: int, options: dict, out: str, record: str
) -> None:
    """Build an engine; the record beside it says what it was built from, on what and how."""
    backend, engine, shapes = registry.backend(cell.backend), Path(out), records.read(Path(dataset), Dataset).shapes
    likeliest = tuple(map(int, next(iter(shapes)).split("x")))  # the most frequent
    registry.demand(platform, backend.platform())
    options = options | ({"implicit": options["implicit"] | {"dataset": dataset}} if "implicit" in options else {})
    with gpu_lease.lease(backend.on_gpu, alone=False) as run:
        facts = backend.build(Path(onnx), engine, likeliest, imgsz, cell.shape == "dynamic", options)
    made = {"platform": backend.platform(), "options": options, "build": facts, "runs": [records.convert(run, Run)]}
    made |= {"engine_sha256": storage.sha256(engine), "onnx_sha256": storage.sha256(Path(onnx))}
    records.write(Path(record), Engine(bytes=engine.stat().st_size, **made))


if __name__ == "__main__":
    with job(snakemake.log[0]):
        build_engine(
            cell=Cell.of(snakemake.wildcards),
            platform=snakemake.params.platform,
            onnx=snakemake.input.onnx,
            dataset=snakemake.input.dataset,
            imgsz=snakemake.params.imgsz,
            options=snakemake.params.options,
            out=snakemake.output.engine,
            record=snakemake.output.record,
        )
