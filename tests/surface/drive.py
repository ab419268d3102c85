"""Drive the product's build, session, audit and doctor over stand-ins, once as they are and once with each mistake.

Argument: a folder. What is said goes there, into files named as the mistakes; prints the exit codes as JSON.
"""

import importlib
import json
import os
import re
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import builders
import engines
import numpy as np
import tensorrt_bindings as trt
from onnx import TensorProto, helper, numpy_helper, save
from stand_ins import StandIn

import speedmap.engines.tensorrt.library as library
from speedmap.engines.tensorrt.backend import TensorRT
from speedmap.machine.nvml import Identity
from speedmap.results.cell import Cell

GPU = Identity(gpu="Fake", compute_capability="9.0", driver="580.1", cuda_driver="13.0")
INSPECTED = {"Layers": [{"Name": engines.LAYER, "LayerType": "conv", "Metadata": "[ONNX Layer: conv]",
                         "Inputs": [{"Name": "x", "Datatype": "Half", "Format": "NHWC"}]}]}  # fmt: skip
library.Gpu = lambda: SimpleNamespace(identity=lambda: GPU)


def detector():
    weights = numpy_helper.from_array(np.ones((7, 3, 32, 32), np.float32), "w")
    conv = helper.make_node("Conv", ["images", "w"], ["c"], "conv", strides=[32, 32], kernel_shape=[32, 32])
    rows = numpy_helper.from_array(np.array([1, 7, -1], np.int64), "rows")
    nodes = [conv, helper.make_node("Reshape", ["c", "rows"], ["t"], "flatten"),
             helper.make_node("Transpose", ["t"], ["output"], "transpose", perm=[0, 2, 1])]  # fmt: skip
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
            for name, shape in (("images", [1, 3, "h", "w"]), ("output", [1, "n", 7]))]  # fmt: skip
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], [weights, rows])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def inspector():
    def describe(written):
        assert written == trt.LayerInformationFormat.JSON
        assert described.execution_context is not None  # else the formats of dynamic engines are hidden
        return json.dumps(INSPECTED)

    described = StandIn(trt.EngineInspector, get_engine_information=describe)
    return described


def runtime(logger):
    return engines.runtime(engines.engine(engines.context, create_engine_inspector=inspector))


def failing(logger):
    logger.log(trt.ILogger.ERROR, "CUDA initialization failure with error: 35")
    return runtime(logger)


def remove(cls, name):
    delattr(getattr(trt, cls), name)


def change(cls, name, old, new):
    """Change a method's signature by a regular expression."""
    method = getattr(getattr(trt, cls), name)
    text, count = re.subn(old, new, method.__doc__)
    assert count, method.__doc__

    def changed(self):
        pass

    changed.__name__, changed.__qualname__, changed.__doc__ = name, f"{cls}.{name}", text
    setattr(getattr(trt, cls), name, changed)


PLANTS = {
    "nothing": lambda: None,
    "a removed enum": lambda: delattr(trt, "ProfilingVerbosity"),
    "a removed member of an enum": lambda: remove("LayerInformationFormat", "JSON"),
    "a removed class": lambda: delattr(trt, "LayerInformationFormat"),
    "a removed method": lambda: remove("IExecutionContext", "execute_async_v3"),
    "a renamed method": lambda: remove("ICudaEngine", "get_tensor_profile_shape"),
    "a renamed keyword": lambda: change("ITimingCache", "combine", "ignore_mismatch:", "ignore:"),
    "an argument more": lambda: change("IExecutionContext", "set_input_shape", ", shape:", ", kind: int, shape:"),
    "an argument less": lambda: change(
        "ICudaEngine", "get_tensor_profile_shape", r", profile_index: [^,]*?\) ->", ") ->"
    ),
    "a removed property": lambda: remove("EngineInspector", "execution_context"),
    "a wrong return type": lambda: globals().update(INSPECTED=["no description"]),
    "a refused shape": lambda: vars(engines).update(context=lambda: StandIn(trt.IExecutionContext)),
    "a runtime that could not start": lambda: setattr(trt, "Runtime", failing),
}


def drive():
    trt.Builder, trt.OnnxParser = builders.builder, builders.parser
    Path("resources").mkdir()
    Path(f"resources/timing-fake-{trt.__version__}.cache").write_bytes(b"here:a")
    save(detector(), "model.onnx")
    backend, model, plan = TensorRT(), Path("model.onnx"), Path("engine")
    for options in ({"builder_level": 3, "workspace_gib": 1}, {"builder_level": 0}):
        facts = backend.build(model, plan, (32, 64), 64, True, options)
    with backend.session(plan, Cell("tensorrt", "m", "fp16", "dynamic")) as session:
        for value, sides in ((0.25, (32, 64)), (0.5, (64, 64))):
            session.load(np.full((1, 3, *sides), value, np.float32))
            session.occupy()
            session._enqueue(session._plan.context)  # a captured graph computes nothing here
            session.run()
            output = session.fetch()
            assert output.shape == (1, sides[0] * sides[1] // 1024, 7)
            assert output[0, 0, 0] == value
    batch = np.zeros((1, 3, 32, 64), np.float32)
    assert backend.layers(plan, Cell("tensorrt", "m", "fp16", "dynamic"), batch, 2) == {"conv": 0.25}
    audit = backend.audit(plan, model, 64)
    said = {"types": facts["types"], "shares": audit.shares, "graphs": session.facts["graphs"]}
    print(json.dumps(said | {"usable": library.usable(), "version": trt.__version__}))


def attempt(folder, plant):
    """Drive in a fork, whose imports are done; returns the exit code."""
    if child := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    for stream in (1, 2):
        os.dup2(os.open(folder / plant, os.O_CREAT | os.O_WRONLY | os.O_APPEND), stream)
    os.chdir(tempfile.mkdtemp(dir=folder))
    trt.Runtime = runtime
    PLANTS[plant]()
    drive()
    sys.exit()


importlib.import_module("polygraphy.backend.trt")  # once, before the forks
library.cuda_of_wheels()
print(json.dumps({plant: attempt(Path(sys.argv[1]), plant) for plant in PLANTS}))
