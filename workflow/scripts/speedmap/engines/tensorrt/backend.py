"""TensorRT on a GPU, as one of the backends."""

from pathlib import Path

import numpy as np

from speedmap.engines.interface import Backend, Inspection, Taken
from speedmap.engines.tensorrt import builder, inspector, layer_times, library, lint
from speedmap.engines.tensorrt.cuda import Stream
from speedmap.engines.tensorrt.engine_file import inspected, released
from speedmap.engines.tensorrt.foreign import take
from speedmap.engines.tensorrt.session import Session
from speedmap.graph import multiply_adds
from speedmap.results.cell import Cell


class TensorRT(Backend):
    """TensorRT 8.6, 10 or 11 on the first visible GPU."""

    on_gpu = True

    def platform(self) -> dict:
        return library.platform()

    def build(self, onnx: Path, engine: Path, opt: tuple[int, int], imgsz: int, dynamic: bool, options: dict) -> dict:
        return builder.build(onnx, engine, opt, imgsz, dynamic, options)

    def take(self, given: Path, engine: Path, imgsz: int, classes: int) -> Taken:
        return take(given, engine, imgsz, classes)

    def session(self, engine: Path, cell: Cell) -> Session:
        return Session(engine)

    def layers(self, engine: Path, cell: Cell, batch: np.ndarray, runs: int) -> dict[str, float]:
        """Return the milliseconds of the layers of each kind, as TensorRT's profiler tells them one by one."""
        return layer_times.by_kind(layer_times.by_layer(engine, batch, runs), layer_times.kinds(engine))

    def audit(self, engine: Path, onnx: Path, imgsz: int) -> Inspection:
        """Read off the engine inspector in which precision each convolution runs, and the engine's `lint`."""
        with Stream(), released():
            text = inspected(engine, library.platform())
        operations = multiply_adds.count(onnx, imgsz)
        described = inspector.parse(text)
        layers = inspector.precisions(described, operations)
        return Inspection(multiply_adds.shares(operations, layers), layers, lint.lint(described))
