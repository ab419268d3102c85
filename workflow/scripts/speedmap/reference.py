"""The float32 graph that engines are judged by."""

from pathlib import Path

import numpy as np
import onnxruntime

from speedmap import images
from speedmap.detections import check, scores
from speedmap.interface import INPUT


def session(model: Path | bytes) -> onnxruntime.InferenceSession:
    """Open an ONNX file, or the bytes of one, in ONNX Runtime on the CPU, a thread a core."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def telling(
    graph: onnxruntime.InferenceSession, files: list[Path], imgsz: int, dynamic: bool, count: int, least: float
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Take the first inputs [1, 3, h, w] in which a graph sees something, with its outputs [1, anchors, 5 + classes].

    count: at most so many. least: score that something must exceed. Raises OutputError for outputs that are not finite.
    """
    found: list[tuple[np.ndarray, np.ndarray]] = []
    for file in files:
        batch, _ = images.load(file, imgsz, dynamic)
        output = graph.run(None, {INPUT: batch})[0]
        if scores(check(output[0], output.shape[-1] - 5)).max() > least:
            found.append((batch, output))
        if len(found) == count:
            break
    return found
