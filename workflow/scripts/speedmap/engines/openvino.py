"""OpenVINO on the CPU: build, run, and say in which precision it runs."""

import time
from collections import Counter, defaultdict
from importlib.metadata import version
from pathlib import Path
from statistics import median

import numpy as np
import onnx as onnxlib
import openvino
from openvino import CompiledModel, Core

from speedmap import storage
from speedmap.engines import foreign_openvino
from speedmap.engines.interface import Backend, ForeignError, Inspection, Taken
from speedmap.errors import UserError, known
from speedmap.graph import multiply_adds
from speedmap.graph.detector_graph import INPUT
from speedmap.machine import cpu_features, environment
from speedmap.results.cell import Cell

NAMES = {"f32": "fp32", "f16": "fp16", "bf16": "bf16", "i8": "int8", "u8": "int8"}
SPLIT = "/WithoutBiases"  # ends the name of a convolution that OpenVINO parts from its bias
STREAMS = 8  # that infer side by side; each holds activations of its own, and more are not fed fast enough
CONVOLUTIONS = {"Convolution", "Deconvolution", "FullyConnected", "MatMul"}


class EngineError(UserError):
    """A graph or an engine file that OpenVINO cannot take."""


def properties(threads: int, streams: int = 1) -> dict:
    """Configure so many requests at a time, one for the least latency, on threads that stay on their cores."""
    return {
        "PERFORMANCE_HINT": "LATENCY" if streams == 1 else "THROUGHPUT",
        "NUM_STREAMS": streams,
        "INFERENCE_NUM_THREADS": threads,
        "ENABLE_CPU_PINNING": True,
    }


class OpenVINO(Backend):
    """OpenVINO on the CPU."""

    on_gpu = False

    def platform(self) -> dict:
        return cpu_features.openvino_platform()

    def build(self, onnx: Path, engine: Path, opt: tuple[int, int], imgsz: int, dynamic: bool, options: dict) -> dict:
        """Compile an ONNX file and write the engine that Session loads; returns facts on the build.

        The float part of the graph runs in the CPU's best float type (bfloat16 where the hardware has it), but the
        decoding in float32.
        """
        start = time.perf_counter()
        graph = onnxlib.load(onnx).SerializeToString()  # ONNX says best what is wrong with a file
        try:
            compiled = compile_graph(graph)
        except RuntimeError as error:
            why = known.said(str(error)) or error
            raise EngineError(f"{onnx}: OpenVINO {version('openvino')} cannot compile it ({why})") from error
        with storage.atomic(engine) as temporary:
            temporary.write_bytes(compiled.export_model().getbuffer())
        return {"build_s": time.perf_counter() - start}

    def take(self, given: Path, engine: Path, imgsz: int, classes: int) -> Taken:
        model, dynamic = foreign_openvino.read(given, imgsz, classes)
        try:
            compiled = Core().compile_model(model, "CPU", properties(environment.physical_cores()))
        except RuntimeError as error:
            raise ForeignError(
                f"{given}: does not compile ({foreign_openvino.short(error)}); convert it again"
            ) from error
        with storage.atomic(engine) as temporary:
            temporary.write_bytes(compiled.export_model().getbuffer())
        ran = Counter(convolutions(compiled).values())
        shares = {name: count / ran.total() for name, count in ran.items()}
        return Taken("dynamic" if dynamic else "static", shares)

    def session(self, engine: Path, cell: Cell) -> "Session":
        return Session(engine, cell)

    def sessions(self, engine: Path, cell: Cell) -> list["Session"]:
        """Open a session a core, at most STREAMS, that infer side by side."""
        threads = environment.physical_cores()
        streams = min(threads, STREAMS)
        compiled = _open(engine, threads, streams)
        return [Session(engine, cell, compiled) for _ in range(streams)]

    def layers(self, engine: Path, cell: Cell, batch: np.ndarray, runs: int) -> dict[str, float]:
        """Return the milliseconds of the nodes of each kind, medians of each node."""
        times: dict[tuple[str, str], list[float]] = defaultdict(list)
        with Session(engine, cell, _open(engine, environment.physical_cores(), PERF_COUNT=True)) as session:
            session.load(batch)
            for number in range(runs + 1):
                session.run()
                for node in session.request.profiling_info if number else ():  # the first run is slow
                    if node.status == openvino.ProfilingInfo.Status.EXECUTED:
                        times[node.node_type, node.node_name].append(1e3 * node.real_time.total_seconds())
        kinds: dict[str, float] = defaultdict(float)
        for (kind, _), values in times.items():
            kinds[kind] += median(values)
        return dict(kinds)

    def audit(self, engine: Path, onnx: Path, imgsz: int) -> Inspection:
        """Read off the runtime graph in which precision each convolution runs."""
        layers = convolutions(_open(engine, environment.physical_cores()))
        operations = multiply_adds.count(onnx, imgsz)
        told = {name: layers.get(name, "unknown") for name in operations}
        return Inspection(multiply_adds.shares(operations, told), told)


def convolutions(compiled: CompiledModel) -> dict[str, str]:
    """Return the precision that each convolution runs in, by its name in the graph."""
    layers = {}
    for operation in compiled.get_runtime_model().get_ops():
        facts = operation.get_rt_info()
        if facts["layerType"].astype(str) in CONVOLUTIONS:
            precision = NAMES.get(facts["runtimePrecision"].astype(str), "unknown")
            names = facts["originalLayersNames"].astype(str).split(",")
            layers |= dict.fromkeys((name.removesuffix(SPLIT) for name in names), precision)
    return layers


def compile_graph(graph: bytes, **more: bool) -> CompiledModel:
    """Compile the bytes of an ONNX file for one request at a time; more: of OpenVINO's properties."""
    core, settings = Core(), properties(environment.physical_cores()) | more
    return core.compile_model(core.read_model(graph), "CPU", settings)


class Session:
    """An engine ready to run one batch at a time; a context manager.

    last: milliseconds of the last run by phase. facts: what the record says about how it ran.
    """

    occupies = 0

    def __init__(self, engine: Path, cell: Cell, compiled: CompiledModel | None = None) -> None:
        self.compiled = compiled or _open(engine, environment.physical_cores())
        self.request = self.compiled.create_infer_request()
        self.last: dict[str, float] = {}
        self.facts = {"threads": self.compiled.get_property("INFERENCE_NUM_THREADS"),
                      "streams": self.compiled.get_property("NUM_STREAMS")}  # fmt: skip

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *error: object) -> None:
        del self.request, self.compiled

    def load(self, batch: np.ndarray) -> None:
        """Set the input, float32 [batch, 3, h, w] in 0..1, without copying it."""
        self.batch = batch  # which the tensor does not keep alive
        self.request.set_tensor(INPUT, openvino.Tensor(batch, shared_memory=True))

    def occupy(self) -> None:
        """Do nothing: a CPU's time is the host's."""

    def run(self) -> float:
        """Infer what was loaded; returns milliseconds."""
        start = time.perf_counter_ns()
        self.request.infer(share_outputs=True)  # else it copies the output, half a millisecond for 25,200 anchors
        elapsed = (time.perf_counter_ns() - start) / 1e6
        self.last = {"compute": elapsed}
        return elapsed

    def fetch(self) -> np.ndarray:
        """Return the output, float32 [batch, anchors, 5 + classes]; valid until the next run."""
        return self.request.get_output_tensor(0).data


def _open(engine: Path, threads: int, streams: int = 1, **more: bool) -> CompiledModel:
    try:
        return Core().import_model(engine.read_bytes(), "CPU", properties(threads, streams) | more)
    except RuntimeError as error:
        raise EngineError(
            f"{engine}: no engine of OpenVINO {version('openvino')} for this CPU; delete it and build it again"
        ) from error
