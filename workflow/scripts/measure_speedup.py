"""Time INT8 against FP16, the two engines taking turns."""

from pathlib import Path

from speedmap.engines import registry
from speedmap.machine import gpu_lease
from speedmap.results import metadata, records
from speedmap.results.cell import Cell
from speedmap.results.environment import Run
from speedmap.results.inventory import ImageSet
from speedmap.results.speedup import Speedup
from speedmap.run.job import run_step
from speedmap.timing import alternating


def measure_speedup(
    cell: Cell, engine: str, engine_record: str, twin: str, twin_record: str, image_set: str, imgsz: int,
    seconds: float, out: str,
) -> None:  # fmt: skip
    """Write how many times as fast an INT8 cell is as its FP16 twin."""
    backend, engines = registry.backend(cell.backend), (Path(engine), Path(twin))
    artefacts = list(map(metadata.built, engines, (Path(engine_record), Path(twin_record))))
    frequent = list(records.read(Path(image_set), ImageSet).shapes)[: alternating.SHAPES]
    sizes = frequent if cell.shape == "dynamic" else [f"{imgsz}x{imgsz}"]
    with gpu_lease.lease(backend.on_gpu, alone=True) as run:
        result = alternating.measure(backend, cell, *engines, sizes, seconds)
    facts = {"cell": cell, "artefact": artefacts[0], "twin": artefacts[1], "runs": [records.convert(run, Run)]}
    records.write(Path(out), Speedup(**result, **facts))


if __name__ == "__main__":
    wildcards = snakemake.wildcards
    cell = Cell.at(wildcards.backend, wildcards.model, "int8", wildcards.shape)
    run_step(measure_speedup, snakemake, cell=cell)
