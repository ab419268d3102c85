"""PyTorch as an engine: what the torch columns measure."""

import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from speedmap.engines.interface import Backend
from speedmap.errors import UserError
from speedmap.machine import environment, gpu_lease
from speedmap.model import weights
from speedmap.results.cell import Cell

ON_GPU = torch.version.cuda is not None  # said without waking CUDA, which then would see every GPU


class TorchError(UserError):
    """A PyTorch that would measure another device than the one that is asked about."""


def device() -> torch.device:
    """Choose the GPU, or the CPU where none is or PyTorch is for CPUs; TorchError for a GPU that PyTorch cannot use."""
    why_not = "the driver is too old for it"
    if torch.cuda.is_available():
        try:
            return torch.zeros(1, device="cuda").device
        except RuntimeError as error:  # no kernels for so old a GPU
            why_not = str(error).partition("\n")[0]
    elif not (ON_GPU and gpu_lease.candidates()):
        return torch.device("cpu")
    raise TorchError(
        f"torch {version('torch')}, for CUDA {torch.version.cuda}, cannot use the GPU that is here: {why_not}; update "
        "the driver, install the environment in envs/ that fits, or set torch: false"
    )


class PyTorch(Backend):
    """PyTorch, which runs the network itself: its engine is the file of fused weights."""

    on_gpu = ON_GPU

    def platform(self) -> dict:
        return {
            "device": torch.cuda.get_device_name() if torch.cuda.is_available() else environment.cpu_name(),
            "torch": version("torch"),
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),
        }

    def session(self, engine: Path, cell: Cell) -> "Session":
        return Session(engine, cell)

    def alternatives(self) -> dict[str, Callable[[Path, Cell], "Session"]]:
        """Run the network as CUDA graphs, too, where a GPU is."""
        return {"cuda_graph": partial(Session, graphs=True)} if torch.cuda.is_available() else {}


class Graph(NamedTuple):
    """A captured CUDA graph with its own input and output."""

    input: torch.Tensor
    graph: torch.cuda.CUDAGraph
    output: torch.Tensor


class Session:
    """A network ready to run one batch at a time, in eager mode, or as a CUDA graph per shape when `graphs`.

    fp16 runs where a GPU is; on the CPU, which has no fast fp16, fp32 runs instead, and `facts` says so. Channels lie
    last in memory and cuDNN chooses the fastest algorithm of each shape.
    """

    def __init__(self, engine: Path, cell: Cell, graphs: bool = False) -> None:
        self.device = device()
        half = cell.precision == "fp16" and self.device.type == "cuda"
        self.dtype = torch.float16 if half else torch.float32
        torch.backends.cudnn.benchmark = True
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False  # fp32 means fp32
        torch.set_num_threads(environment.physical_cores())
        network = weights.network(engine).to(self.device, self.dtype, memory_format=torch.channels_last)
        self.network, self.graphs, self.occupies = network, {} if graphs else None, int(graphs)
        self.pool = torch.cuda.graph_pool_handle() if graphs else None  # one for all shapes, which never run at once
        self.last: dict[str, float] = {}
        self.facts = {"precision": "fp16" if half else "fp32", "mode": "cuda graph" if graphs else "eager",
                      "memory_format": "channels_last", "cudnn_benchmark": True, "tf32": False,
                      "threads": torch.get_num_threads()}  # fmt: skip

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *error: object) -> None:
        del self.network, self.graphs

    def load(self, batch: np.ndarray) -> None:
        """Copy an input, float32 [batch, 3, h, w] in 0..1, to the device."""
        self.input = torch.from_numpy(batch).to(self.device, self.dtype, memory_format=torch.channels_last)
        if self.graphs is not None and self.input.shape not in self.graphs:
            self.graphs[self.input.shape] = self._capture(self.input.clone())
        if self.graphs is not None:
            self.graphs[self.input.shape].input.copy_(self.input)
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    @torch.inference_mode()
    def _capture(self, fixed: torch.Tensor) -> "Graph":
        for _ in range(3):  # lets cuDNN choose its algorithms before the capture
            self.network(fixed)
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self.pool):
            output = self.network(fixed)
        return Graph(fixed, graph, output)

    def occupy(self) -> None:
        """Replay a captured graph once more; in eager mode launching is what takes the time."""
        if self.graphs is not None:
            self.graphs[self.input.shape].graph.replay()

    @torch.inference_mode()
    def run(self) -> float:
        """Infer what was loaded; returns milliseconds, by CUDA events on a GPU."""
        if self.device.type == "cuda":
            return self._run_cuda()
        start = time.perf_counter_ns()
        self.output = self.network(self.input)
        elapsed = (time.perf_counter_ns() - start) / 1e6
        self.last = {"compute": elapsed}
        return elapsed

    def _run_cuda(self) -> float:
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        if self.graphs is None:
            self.output = self.network(self.input)
        else:
            captured = self.graphs[self.input.shape]
            captured.graph.replay()
            self.output = captured.output
        end.record()
        end.synchronize()
        elapsed = begin.elapsed_time(end)
        self.last = {"compute": elapsed}
        return elapsed

    def fetch(self) -> np.ndarray:
        """Return the output as float32 [batch, anchors, 5 + classes]; valid until the next run."""
        return self.output.float().cpu().numpy()
