"""Check speedmap's timer with a plain loop of enqueues between two events, written apart from it.

    python benchmarks/tensorrt_loop.py results/tensorrt/yolov5s-fp16-static/engine [.../speed.json] [--shape 480 640]

Prints the median device time of the loop, images a second by it and by the host's clock around all of it and, given a
record, the difference to the record's median of that input shape. Without `--graph` TensorRT's kernels are enqueued one
by one, and a small model takes the host's time; with it they are captured and replayed, as speedmap does.
"""

import argparse
import logging
import statistics
import sys
import time
from pathlib import Path

import numpy as np
import tensorrt as trt
from cuda.bindings import driver

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow/scripts"))

from speedmap.results import records
from speedmap.results.speed import Speed

logging.basicConfig(format="%(message)s", level=logging.INFO)


def ok(answer: tuple) -> object:
    """Unpack what a driver call answers, or stop."""
    if int(answer[0]) != 0:
        raise SystemExit(f"CUDA: {answer[0]!r}")
    return answer[1] if len(answer) > 1 else None


def volume(shape: tuple[int, ...]) -> int:
    """Multiply the sides of a shape."""
    size = 1
    for side in shape:
        size *= side
    return size


def prepare(engine: trt.ICudaEngine, shape: tuple[int, ...] | None) -> tuple[trt.IExecutionContext, tuple[int, ...]]:
    """Bind device memory to a context for one input shape, noise as its input; None takes the profile's likeliest."""
    context = engine.create_execution_context()
    fixed = tuple(engine.get_tensor_shape("images"))
    shape = shape or (fixed if -1 not in fixed else tuple(engine.get_tensor_profile_shape("images", 0)[1]))
    context.set_input_shape("images", shape)
    for name in ("images", "output"):
        noise = np.random.default_rng(0).random(volume(tuple(context.get_tensor_shape(name))), np.float32)
        memory = ok(driver.cuMemAlloc(noise.nbytes))
        ok(driver.cuMemcpyHtoD(memory, noise.ctypes.data, noise.nbytes))
        context.set_tensor_address(name, int(memory))
    return context, shape


def launcher(context: trt.IExecutionContext, stream: object, graph: bool) -> object:
    """Return what runs one inference: a plain enqueue, or the replay of one captured."""

    def enqueue() -> None:
        if not context.execute_async_v3(int(stream)):
            raise SystemExit("TensorRT refused to run the engine")

    enqueue()
    ok(driver.cuStreamSynchronize(stream))
    if not graph:
        return enqueue
    ok(driver.cuStreamBeginCapture(stream, driver.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_RELAXED))
    enqueue()
    executable = ok(driver.cuGraphInstantiate(ok(driver.cuStreamEndCapture(stream)), 0))
    return lambda: ok(driver.cuGraphLaunch(executable, stream))


def loop(launch: object, stream: object, warmup: int, count: int) -> tuple[list[float], float]:
    """Time single runs in milliseconds, each between its own two events; all are waited for only at the end.

    Returns these, and the seconds of all by the host's clock.
    """
    for _ in range(warmup):
        launch()
    pairs = [(ok(driver.cuEventCreate(0)), ok(driver.cuEventCreate(0))) for _ in range(count)]
    ok(driver.cuStreamSynchronize(stream))
    begin = time.perf_counter()
    for start, stop in pairs:
        ok(driver.cuEventRecord(start, stream))
        launch()
        ok(driver.cuEventRecord(stop, stream))
    ok(driver.cuStreamSynchronize(stream))
    seconds = time.perf_counter() - begin
    return [ok(driver.cuEventElapsedTime(start, stop)) for start, stop in pairs], seconds


def recorded(path: Path, shape: tuple[int, ...]) -> float:
    """Read the median of one input shape off a speed record, whose `shapes` stand beside its `samples_ms`."""
    record, name = records.read(path, Speed), f"{shape[2]}x{shape[3]}"
    samples = [value for value, kind in zip(record.samples_ms, record.shapes, strict=True) if kind == name]
    if not samples:
        raise SystemExit(f"{path}: no samples of {name}; give another --shape")
    return statistics.median(samples)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("engine", type=Path)
    parser.add_argument("record", type=Path, nargs="?")
    parser.add_argument("--shape", type=int, nargs=2, metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--graph", action="store_true", help="replay a CUDA graph instead of enqueueing")
    parser.add_argument("--count", type=int, default=1000)
    args = parser.parse_args()
    ok(driver.cuInit(0))
    device = ok(driver.cuDeviceGet(0))
    ok(driver.cuCtxSetCurrent(ok(driver.cuDevicePrimaryCtxRetain(device))))
    stream = ok(driver.cuStreamCreate(driver.CUstream_flags.CU_STREAM_NON_BLOCKING.value))
    runtime = trt.Runtime(trt.Logger(trt.Logger.WARNING))
    engine = runtime.deserialize_cuda_engine(args.engine.read_bytes())
    if engine is None:
        raise SystemExit(f"{args.engine}: not an engine for this TensorRT and GPU")
    context, shape = prepare(engine, (1, 3, *args.shape) if args.shape else None)
    times, seconds = loop(launcher(context, stream, args.graph), stream, args.count // 5, args.count)
    median = statistics.median(times)
    logging.info("%s %s: median %.4f ms of %d runs", args.engine, list(shape), median, args.count)
    logging.info("images/s: %.1f, by the host's clock %.1f", 1e3 * shape[0] / median, args.count * shape[0] / seconds)
    if args.record:
        there = recorded(args.record, shape)
        logging.info("record: median %.4f ms; the loop differs by %+.2f%%", there, 100 * (median / there - 1))


if __name__ == "__main__":
    main()
