"""Open an engine file with the product's own code on TensorRT's lean runtime, where no GPU can be used."""

import sys
from pathlib import Path

import tensorrt_lean_bindings as trt

from speedmap.engines.tensorrt import engine_file, library

sys.modules["tensorrt"] = trt
path = Path(sys.argv[1])
path.write_bytes(bytes(1000))
try:
    engine_file.deserialize(path, {})
except library.EngineError as error:
    print(error)
