"""The float32 graph in ONNX Runtime: what every engine is held against."""

from pathlib import Path

import onnxruntime


def session(model: Path | bytes) -> onnxruntime.InferenceSession:
    """Open an ONNX file, or the bytes of one, in ONNX Runtime on the CPU, a thread a core."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
