"""Check an engine before its figures are believed."""

from pathlib import Path

from onnx import load

from speedmap import storage
from speedmap.engines import registry
from speedmap.graph import onnx_runtime
from speedmap.graph.detector_graph import noted
from speedmap.machine import gpu_lease
from speedmap.results import records
from speedmap.results.cell import Cell
from speedmap.results.measured import Run
from speedmap.results.prepared import Dataset, Verification, Weights
from speedmap.run.job import job
from speedmap.verification import agreement, validity


def verify_engine(
    cell: Cell, engine: str, onnx: str, reference: str, weights: str, dataset: str, imgsz: int, out: str
) -> None:
    """Write which precision an engine runs, how it agrees with the float32 graph, and why it is invalid if it is."""
    backend, random = registry.backend(cell.backend), records.read(Path(weights), Weights).random
    files = records.read(Path(dataset), Dataset).calibration_files
    with gpu_lease.lease(backend.on_gpu, alone=False) as run:
        audit = backend.audit(Path(engine), Path(onnx), imgsz)
        with backend.session(Path(engine), cell) as session:
            float32 = onnx_runtime.session(Path(reference))
            agreed = agreement.agreement(session, float32, files, imgsz, cell.shape == "dynamic")
    verdict = validity.verdict(cell, audit, agreed, random, noted(load(onnx)), backend.platform())
    digest, runs = storage.sha256(Path(engine)), [records.convert(run, Run)]
    records.write(Path(out), Verification(engine_sha256=digest, audit=verdict, runs=runs))


if __name__ == "__main__":
    with job(snakemake.log[0]):
        verify_engine(
            cell=Cell.of(snakemake.wildcards),
            engine=snakemake.input.engine,
            onnx=snakemake.input.onnx,
            reference=snakemake.input.reference,
            weights=snakemake.input.weights,
            dataset=snakemake.input.dataset,
            imgsz=snakemake.params.imgsz,
            out=snakemake.output[0],
        )
