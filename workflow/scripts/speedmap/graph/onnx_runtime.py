"""ONNX graphs in ONNX Runtime."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx as onnxlib
import onnxruntime

from speedmap.graph.detector_graph import INPUT

Run = Callable[[np.ndarray], np.ndarray]


def session(model: Path | bytes) -> onnxruntime.InferenceSession:
    """Open an ONNX file, or the bytes of one, in ONNX Runtime on the CPU, a thread a core."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # it takes as much CPU again as the work
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def opened(model: onnxlib.ModelProto) -> Run:
    """Open a graph in ONNX Runtime as a function from its input to its output."""
    graph = session(model.SerializeToString())
    return lambda batch: graph.run(None, {INPUT: batch})[0]


def tapped(onnx: Path, tensors: list[str]) -> Callable[[np.ndarray], list[np.ndarray]]:
    """Open a graph as a function from its input to the named tensors of it."""
    model = onnxlib.load(onnx)
    image, present = model.graph.input[0].name, {value.name for value in model.graph.output}
    inside = [name for name in tensors if name != image and name not in present]
    model.graph.output.extend(onnxlib.ValueInfoProto(name=name) for name in inside)
    graph = session(model.SerializeToString())

    def run(batch: np.ndarray) -> list[np.ndarray]:
        values = dict(zip(inside, graph.run(inside, {image: batch}), strict=True)) | {image: batch}
        return [values[name] for name in tensors]

    return run
