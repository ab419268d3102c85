"""The float32 graph in ONNX Runtime: what every engine is held against."""

from pathlib import Path

import onnxruntime


def session(path: Path, threads: int = 0) -> onnxruntime.InferenceSession:
    """Open an ONNX file in ONNX Runtime on the CPU; 0 threads means one a core."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
