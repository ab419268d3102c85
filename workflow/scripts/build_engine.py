"""Build an engine from a typed ONNX file."""

from pathlib import Path

from speedmap import storage
from speedmap.engines import registry
from speedmap.machine import gpu_lease
from speedmap.results import records
from speedmap.results.cell import Cell
from speedmap.results.environment import Run
from speedmap.results.inventory import ImageSet
from speedmap.results.prepared import Engine
from speedmap.run.job import run_step


def build_engine(
    cell: Cell, platform: dict, onnx: str, image_set: str, imgsz: int, options: dict, implicit: dict | None,
    engine: str, record: str,
) -> None:  # fmt: skip
    """Build an engine; the record beside it says what it was built from, on what and how."""
    backend, data, path = registry.backend(cell.backend), records.read(Path(image_set), ImageSet), Path(engine)
    registry.demand(platform, backend.platform())
    options = options | {"implicit": {**implicit, "image_set": image_set}} if implicit else options
    with gpu_lease.lease(backend.on_gpu, alone=False) as run:
        facts = backend.build(Path(onnx), path, data.likeliest, imgsz, cell.shape == "dynamic", options)
    made = {"platform": backend.platform(), "options": options, "build": facts, "runs": [records.convert(run, Run)]}
    made |= {"engine_sha256": storage.sha256(path), "onnx_sha256": storage.sha256(Path(onnx))}
    records.write(Path(record), Engine(bytes=path.stat().st_size, **made))


if __name__ == "__main__":
    run_step(build_engine, snakemake, cell=Cell.of(snakemake.wildcards))
