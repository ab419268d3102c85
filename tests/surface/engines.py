"""An engine and its contexts as stand-ins: dynamic, one row of seven for each 32 x 32 pixels."""

import ctypes
import math
import weakref

import tensorrt_bindings as trt
from stand_ins import StandIn

BOUNDS = ((1, 3, 32, 32), (1, 3, 32, 64), (1, 3, 64, 64))  # least, likeliest and largest input
LAYER = "conv_myl0_1"
SIZED = hasattr(trt.IExecutionContext, "set_device_memory")  # which 8.6 does not have
RUNTIME = trt.Runtime  # whose name gets what makes stand-ins


def context(runs=lambda: True, output="output"):
    """Make a context that fills its output with the input's first value. runs: whether an inference succeeds."""
    state = {}

    def shape(_name):
        return trt.Dims([1, state["shape"][2] * state["shape"][3] // 1024, 7])

    def run(_stream):
        assert state["memory"] if SIZED else itself().device_memory  # else it has none to compute in
        count = math.prod(shape(output))
        value = ctypes.c_float.from_address(state["images"]).value
        (ctypes.c_float * count).from_address(state[output])[:] = [value] * count
        if profiler := itself().profiler:
            profiler.report_layer_time(LAYER, 0.25)
        return runs()

    made = StandIn(
        trt.IExecutionContext, set_input_shape=lambda _name, shape: state.update(shape=shape) or True,
        get_tensor_shape=shape, set_tensor_address=lambda name, address: state.update({name: address}) or True,
        execute_async_v3=run, active_optimization_profile=0, profiler=None,
        set_device_memory=lambda address, _size: state.update(memory=address),
    )  # fmt: skip
    itself = weakref.ref(made)  # no circle: when contexts go is tested
    return made


def engine(make_context=context, output="output", **more):
    bounds = [trt.Dims(shape) for shape in BOUNDS]
    behaviour = {
        "num_io_tensors": 2, "get_tensor_name": ("images", output).__getitem__,
        "get_tensor_dtype": trt.DataType.FLOAT,
        "get_tensor_shape": lambda name: trt.Dims([1, 3, -1, -1] if name == "images" else [1, -1, 7]),
        "device_memory_size": 4096, "device_memory_size_v2": 4096,
        "get_tensor_profile_shape": lambda _name, _profile: bounds,
        "create_execution_context": lambda *_strategy: make_context(),
        "create_execution_context_without_device_memory": make_context,
    }  # fmt: skip
    return StandIn(trt.ICudaEngine, **behaviour | more)


def runtime(opened):
    """Make a runtime that opens an engine, or what a function of a plan returns."""
    return StandIn(RUNTIME, deserialize_cuda_engine=opened)
