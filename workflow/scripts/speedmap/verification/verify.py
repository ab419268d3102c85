"""What is found out about an engine before its figures are believed."""

from pathlib import Path

from onnx import load

from speedmap.engines.interface import Backend
from speedmap.graph import onnx_runtime
from speedmap.graph.detector_graph import noted
from speedmap.results.audit import Audit
from speedmap.results.cell import Cell
from speedmap.verification import agreement, validity


def verify(
    backend: Backend, cell: Cell, engine: Path, onnx: Path, reference: Path, files: list[str], imgsz: int, random: bool
) -> Audit:
    """Find out which precision an engine runs, how it agrees with the float32 graph, and why it is invalid if it is.

    reference: float32 ONNX of one image. files: calibration images. random: whether the weights
    are; their agreement is not judged.
    """
    inspection = backend.audit(engine, onnx, imgsz)
    with backend.session(engine, cell) as session:
        float32 = onnx_runtime.session(reference)
        agreed = agreement.agreement(session, float32, files, imgsz, cell.shape == "dynamic", cell.batch)
    return validity.verdict(cell, inspection, agreed, random, noted(load(onnx)), backend.platform())
