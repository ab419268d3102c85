"""Opening TensorRT engines that were built for this machine, and asking them for what a session needs."""

import ctypes
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import MsgspecError, Struct, json

from speedmap import storage
from speedmap.dataset.letterbox import STRIDE
from speedmap.engines.tensorrt.library import EngineError, explain, load, logger
from speedmap.errors import anew
from speedmap.graph.detector_graph import INPUT, OUTPUT

IDENTITY = ("gpu", "compute_capability", "tensorrt")  # what an engine is bound to; a newer driver still runs it

Shape = tuple[int, ...]


class Description(Struct):
    """What is read of the record beside an engine."""

    platform: dict[str, Any]
    engine_sha256: str


def refuse_foreign(engine: Path, here: dict[str, str]) -> None:
    """Compare an engine's description beside it with the file and this machine; EngineError when they differ."""
    path = Path(f"{engine}.json")  # engine.2.json of a further build
    if not engine.is_file():
        raise EngineError(f"{engine}: no such engine; {anew(engine)}")
    if not path.is_file():  # not written yet while the rule that builds still audits
        return
    try:
        made = json.decode(path.read_bytes(), type=Description)
    except (MsgspecError, UnicodeDecodeError) as error:
        raise EngineError(f"{path}: not a description of an engine ({error!r}); {anew(engine)}") from error
    for key in IDENTITY:
        if made.platform.get(key) != here[key]:
            raise EngineError(
                f"{engine}: built for {key} {made.platform.get(key)}, this machine has {here[key]}; {anew(engine)}"
            )
    if storage.sha256(engine) != made.engine_sha256:
        raise EngineError(f"{engine}: truncated or changed since it was built; {anew(engine)}")


def deserialize(engine: Path, here: dict[str, str]) -> tuple[Any, Any]:
    """Open an engine file, with a CUDA context there; gives TensorRT's (runtime, engine), the first to live longer."""
    refuse_foreign(engine, here)
    logger().errors.clear()
    runtime = _runtime(engine)
    opened = runtime.deserialize_cuda_engine(engine.read_bytes())
    if opened is None:
        raise explain([*logger().errors, "cannot deserialize the engine"], str(engine))
    return runtime, opened


def _runtime(engine: Path) -> Any:
    """Start TensorRT's runtime; where CUDA does not start, 10 and 11 only log it, and crash in the next call."""
    try:
        runtime = load().Runtime(logger())
    except TypeError as error:  # what pybind11 makes of a factory that gave nothing
        raise explain(logger().errors, f"{engine}: TensorRT cannot start its runtime") from error
    if logger().errors:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(runtime))  # kept for good: its destructor crashes, too
        raise explain(logger().errors, f"{engine}: TensorRT cannot start its runtime")
    return runtime


@contextmanager
def released() -> Iterator[None]:
    """On an error, take from the frames that it came through what they hold of TensorRT, which must go before CUDA."""
    try:
        yield
    except BaseException as error:
        cause: BaseException | None = error
        while cause is not None:
            traceback.clear_frames(cause.__traceback__)
            cause = cause.__context__
        raise


def inspected(engine: Path, here: dict[str, str]) -> str:
    """Let TensorRT's inspector describe an engine file as JSON, with a CUDA context there."""
    runtime, opened = deserialize(engine, here)
    inspector, context = opened.create_engine_inspector(), None
    least, likeliest, largest = profile(opened)
    if least != largest:  # without shapes it hides the formats of dynamic engines
        context = new_context(opened)
        output_shape(context, likeliest)
        inspector.execution_context = context
    text = inspector.get_engine_information(load().LayerInformationFormat.JSON)
    del inspector, context, opened, runtime  # in this order
    return text


def check_types(engine: Any, path: Path) -> None:
    """Refuse an engine without the one float32 input and output of a detector."""
    trt = load()
    names = {engine.get_tensor_name(index) for index in range(engine.num_io_tensors)}
    one_each = INPUT in names and len(names) == 2  # YOLOv5's export calls the other output0
    if not one_each or any(engine.get_tensor_dtype(name) != trt.DataType.FLOAT for name in names):
        raise EngineError(f"{path}: has {sorted(names)} instead of float32 {INPUT} and {OUTPUT}; build it again")


def output_name(engine: Any) -> str:
    """Name the output of an engine that has one."""
    names = (engine.get_tensor_name(index) for index in range(engine.num_io_tensors))
    return next(name for name in names if name != INPUT)


def profile(engine: Any) -> tuple[Shape, Shape, Shape]:
    """Return the least, the likeliest and the largest input that an engine takes."""
    fixed = tuple(engine.get_tensor_shape(INPUT))
    if -1 not in fixed:
        return fixed, fixed, fixed
    least, likeliest, largest = (tuple(shape) for shape in engine.get_tensor_profile_shape(INPUT, 0))
    return least, likeliest, largest


def fits(shape: Shape, least: Shape, largest: Shape) -> bool:
    """Return whether an input lies between the least and the largest, its sides multiples of the coarsest stride."""
    if len(shape) != len(largest) or any(side % STRIDE for side in shape[2:]):
        return False
    return all(low <= side <= high for low, side, high in zip(least, shape, largest, strict=True))


def check_input(batch: np.ndarray, least: Shape, largest: Shape, path: Path) -> None:
    """Refuse what is no contiguous float32 that fits an engine."""
    if batch.dtype != np.float32 or not batch.flags.c_contiguous:
        raise EngineError(f"{path}: the input is {batch.dtype}, not contiguous float32; see speedmap.dataset.images")
    if not fits(batch.shape, least, largest):
        raise EngineError(
            f"{path}: an input of {list(batch.shape)} lies outside of the engine's profile, "
            f"{list(least)} to {list(largest)} in steps of {STRIDE}; build the engine for this imgsz"
        )


def memory_size(engine: Any) -> int:
    """Return the bytes that an engine's activations take."""
    return engine.device_memory_size_v2 if hasattr(engine, "device_memory_size_v2") else engine.device_memory_size


def new_context(engine: Any) -> Any:
    """Make an execution context that is given its memory later."""
    if hasattr(engine, "create_execution_context_without_device_memory"):  # until TensorRT 10
        context = engine.create_execution_context_without_device_memory()
    else:
        context = engine.create_execution_context(load().ExecutionContextAllocationStrategy.USER_MANAGED)
    if context is None:
        raise explain(logger().errors, "no execution context")
    return context


def output_shape(context: Any, shape: Shape, output_name: str = OUTPUT) -> Shape:
    """Set the input shape of a context and give the output shape that follows."""
    if not context.set_input_shape(INPUT, shape):
        raise explain(logger().errors, f"TensorRT refuses the input shape {list(shape)}")
    output = tuple(context.get_tensor_shape(output_name))
    if min(output) < 0:
        raise EngineError(f"the output's shape for {list(shape)} cannot be told before it runs; export the model again")
    return output
