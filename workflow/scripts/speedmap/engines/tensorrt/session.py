"""A TensorRT engine on a GPU: its contexts, CUDA graphs and memory."""

import logging
import math
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from speedmap.engines.tensorrt import engine_file
from speedmap.engines.tensorrt.cuda import CudaError, Stream
from speedmap.engines.tensorrt.engine_file import Shape, deserialize, new_context, output_shape
from speedmap.engines.tensorrt.library import EngineError, explain, library, load, logger, platform
from speedmap.graph.detector_graph import INPUT

log = logging.getLogger(__name__)


@dataclass
class Graphs:
    """How many shapes run as CUDA graphs, and why others do not."""

    captured: int = 0
    refused: dict[str, str] = field(default_factory=dict)


@dataclass
class Plan:
    """How one input shape runs: its own execution context, output shape, and captured graph (None: plain enqueue)."""

    context: Any
    output: Shape
    graph: Any = None


class Session:
    """An engine on an own stream, with one execution context and one CUDA graph an input shape; a context manager.

    A context must not change once a graph was captured from it, so shapes do not share one; they do share the memory
    for activations. `last`: ms of the last load, run and fetch. "h2d", "compute" and "d2h" each lie between two CUDA
    events, without the host's copy into pinned memory; "enqueue" is the host's time to launch what computes.
    """

    occupies = 1

    def __init__(self, engine: Path) -> None:
        self.path = engine
        self.last: dict[str, float] = {}
        self.facts: dict[str, Any] = {}
        self._graphs = Graphs()
        self._plans: dict[Shape, Plan] = {}
        self._stack = ExitStack()

    def __enter__(self) -> "Session":
        here = platform()
        with ExitStack() as undo:
            self._stream = undo.enter_context(Stream())
            undo.callback(self._forget)  # TensorRT's objects go before the CUDA context does
            undo.enter_context(engine_file.released())
            free = self._stream.free()
            self._runtime, self._engine = deserialize(self.path, here)
            self._open(taken=free - self._stream.free())
            self._stack = undo.pop_all()
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)

    def _forget(self) -> None:
        self._plans.clear()
        self._plan = self._engine = self._runtime = None

    def _open(self, taken: int) -> None:
        """Allocate once for the largest shape, and try the likeliest one; taken: bytes by the engine alone."""
        engine_file.check_types(self._engine, self.path)
        self.least, self.likeliest, self.largest = engine_file.profile(self._engine)
        self._output = engine_file.output_name(self._engine)
        inputs, size = math.prod(self.largest), engine_file.memory_size(self._engine)
        outputs = math.prod(output_shape(new_context(self._engine), self.largest, self._output))
        self._memory = (self._stream.device(size), size)
        self._addresses = {INPUT: self._stream.device(4 * inputs), self._output: self._stream.device(4 * outputs)}
        self._host_input, self._host_output = self._stream.pinned(inputs), self._stream.pinned(outputs)
        loaded = library()
        self.facts |= {
            "stream": "own, non-blocking",
            "tensorrt": load().__version__,
            "libnvinfer": Path(loaded[0]).name if loaded else None,
            "profile": {"min": self.least, "opt": self.likeliest, "max": self.largest},
            "engine_mib": round(taken / 2**20, 1),
            "activations_mib": round(size / 2**20, 1),
            "graphs": vars(self._graphs),  # as they will be when the last shape has run
        }
        self._plan = self._plan_for(self.likeliest)

    def load(self, batch: np.ndarray) -> None:
        """Copy an input, float32 [batch, 3, h, w] in 0..1, to the GPU; EngineError when it does not fit the engine."""
        engine_file.check_input(batch, self.least, self.largest, self.path)
        self._plan = self._plan_for(batch.shape)
        if self._plan.graph is None:  # then the context may be one that other shapes use, too
            output_shape(self._plan.context, batch.shape, self._output)
        host = self._host_input[: batch.size]
        np.copyto(host, batch.reshape(-1))
        elapsed, _ = self._stream.timed(lambda: self._stream.to_device(self._addresses[INPUT], host))
        self.last |= {"h2d": elapsed}

    def occupy(self) -> None:
        """Enqueue an inference of what was loaded that is not timed.

        Else the first of two events would be over before the graph between them is launched, and the launch counted.
        """
        self._launch()

    def run(self) -> float:
        """Infer what was loaded; gives device milliseconds."""
        elapsed, launching = self._stream.timed(self._launch)
        self.last |= {"compute": elapsed, "enqueue": launching}
        return elapsed

    def fetch(self) -> np.ndarray:
        """Copy the output back, float32 [batch, anchors, 5 + classes]; a view that the next call overwrites."""
        host = self._host_output[: math.prod(self._plan.output)]
        elapsed, _ = self._stream.timed(lambda: self._stream.to_host(host, self._addresses[self._output]))
        self.last |= {"d2h": elapsed}
        return host.reshape(self._plan.output)

    def profile(self, profiler: Any, runs: int) -> None:
        """Infer what was loaded some times without its graph, each layer timed by one of TensorRT's profilers."""
        context = self._plan.context
        context.profiler = profiler
        for _ in range(runs):
            self._enqueue(context)
            self._stream.synchronize()

    def _launch(self) -> None:
        if self._plan.graph is not None:
            self._stream.replay(self._plan.graph)
        else:
            self._enqueue(self._plan.context)

    def _enqueue(self, context: Any) -> None:
        if not context.execute_async_v3(int(self._stream.handle)):
            raise explain(logger().errors, f"{self.path}: TensorRT refused to run it")

    def _plan_for(self, shape: Shape) -> Plan:
        if shape not in self._plans:
            try:
                plan = self._planned(self._prepared(), shape)
                plan.graph = self._captured(plan.context, shape)
            except EngineError as error:
                if not self._plans:
                    raise
                plan = self._shared(shape, error)
            self._plans[shape] = plan
        return self._plans[shape]

    def _planned(self, context: Any, shape: Shape) -> Plan:
        plan = Plan(context, output_shape(context, shape, self._output))
        for name, address in self._addresses.items():
            context.set_tensor_address(name, address)
        self._enqueue(context)  # the first run of a shape does work that must not be captured
        self._stream.synchronize()
        return plan

    def _shared(self, shape: Shape, error: EngineError) -> Plan:
        """Run every shape in one context when TensorRT gives no second one: its graphs are invalid from now on."""
        log.warning("%s: one context for all shapes, without CUDA graphs (%s)", self.path, error)
        self._graphs.captured, self._graphs.refused = 0, {"all": str(error)}
        for plan in self._plans.values():
            plan.graph = None
        return self._planned(next(iter(self._plans.values())).context, shape)

    def _prepared(self) -> Any:
        context = new_context(self._engine)
        if hasattr(context, "set_device_memory"):  # TensorRT 10
            context.set_device_memory(*self._memory)
        else:
            context.device_memory = self._memory[0]
        if context.active_optimization_profile != 0:
            context.set_optimization_profile_async(0, int(self._stream.handle))
            self._stream.synchronize()
        return context

    def _captured(self, context: Any, shape: Shape) -> Any:
        """Capture the graph of a shape; None where that fails, and the reason goes into the facts."""
        try:
            graph = self._stream.capture(lambda: self._enqueue(context))
        except (CudaError, EngineError) as error:
            self._graphs.refused["x".join(map(str, shape))] = str(error)
            log.warning("%s: no CUDA graph for %s, kernels are enqueued one by one (%s)", self.path, shape, error)
            return None
        self._graphs.captured += 1
        return graph
