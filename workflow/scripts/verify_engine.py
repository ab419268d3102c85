"""Check an engine before its figures are believed."""

from pathlib import Path

from onnx import load

from speedmap import storage
from speedmap.engines import registry
from speedmap.errors.explain import job
from speedmap.graph import onnx_runtime
from speedmap.graph.detector_graph import noted
from speedmap.machine import gpu_lease
from speedmap.results import records
from speedmap.results.cell import Cell
from speedmap.verification import agreement, validity


def main(cell: Cell, engine: str, onnx: str, float_onnx: str, weights: str, dataset: str, imgsz: int, out: str) -> None:
    """Write which precision an engine runs, how it agrees with the float32 graph, and why it is invalid if it is."""
    module, random = registry.engine(cell.backend), records.read(Path(weights))["random"]
    files = [image["file"] for image in records.read(Path(dataset))["calibration"]]
    with gpu_lease.lease(module, alone=False) as run:
        audit = module.audit(Path(engine), Path(onnx), imgsz)
        with module.Session(Path(engine), cell) as session:
            agreed = agreement.agreement(
                session, onnx_runtime.session(Path(float_onnx)), files, imgsz, cell.shape == "dynamic"
            )
    found = validity.verdict(cell, audit, agreed, random, noted(load(onnx)))
    records.write(Path(out), {"engine_sha256": storage.sha256(Path(engine)), **found, "runs": [run]})


if __name__ == "__main__":
    with job(snakemake.log[0]):
        main(
            Cell.of(snakemake.params.backend, dict(snakemake.wildcards)),
            snakemake.input.engine,
            snakemake.input.onnx,
            snakemake.input.reference,
            snakemake.input.weights,
            snakemake.input.dataset,
            snakemake.params.imgsz,
            snakemake.output[0],
        )
