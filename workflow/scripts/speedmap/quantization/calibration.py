"""Activation statistics of a model, collected once from its float32 graph over the calibration images."""

import json
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple
from zipfile import BadZipFile

import numpy as np
import onnx as onnxlib
from tqdm import tqdm

from speedmap import storage
from speedmap.dataset import images as imagery
from speedmap.errors import UserError, anew
from speedmap.graph.detector_graph import Graph
from speedmap.graph.onnx_runtime import tapped
from speedmap.quantization.observers import POSITIONS, Moments, Observer, Sums, Window
from speedmap.quantization.ranges import Histogram
from speedmap.results import records
from speedmap.results.prepared import Calibration

MOMENTS = ("channels", "windows")  # in a file
LARGEST = 1152  # values under a kernel whose covariance is kept, 5 MB: 3x3 of 128 channels
ALGORITHM = ("histograms of 16384 bins around zero, wider as values grow; means and covariances of the channels, and "
             f"of up to {LARGEST} values under a kernel at {POSITIONS} positions an image")  # fmt: skip
PREPROCESSING = "letterbox to imgsz, padded with 114 (static: to a square), RGB in 0..1"


class CalibrationError(UserError):
    """Images or a graph from which no ranges can be learnt; the message names the cause and the remedy."""


class Saved(NamedTuple):
    """The arrays in a file besides those of moments."""

    names: np.ndarray
    shapes: np.ndarray
    record: np.ndarray
    counts: np.ndarray
    width: np.ndarray
    low: np.ndarray
    high: np.ndarray


@dataclass(frozen=True)
class Statistics:
    """What calibration saw of each tensor that a convolution reads or that could carry a scale for one.

    histograms: by tensor name, equal in a model's static and dynamic graph. channels: of the tensors that convolutions
    without a window read. windows: of larger kernels than 1x1, by convolution. shapes: of the last image. record: how
    it came about, JSON. scales: already chosen from these, by the planner of Q/DQ.
    """

    histograms: dict[str, Histogram]
    channels: dict[str, Moments]
    windows: dict[str, Moments]
    shapes: dict[str, tuple[int, ...]]
    record: dict
    scales: dict = field(default_factory=dict, repr=False, compare=False)

    def under(self, conv: str, tensor: str, kernel: tuple[int, int]) -> Moments:
        """Return what a convolution's kernel sees of a tensor."""
        if conv in self.windows:
            return self.windows[conv]
        mean, covariance = self.channels[tensor]
        return Moments(np.repeat(mean, kernel[0] * kernel[1]), covariance if kernel == (1, 1) else None)

    def save(self, npz: Path) -> None:
        """Write everything into one .npz, and the record, too, as JSON beside it."""
        columns = {"counts": [], "width": [], "low": [], "high": []}
        for histogram in self.histograms.values():
            for name, column in columns.items():
                column.append(getattr(histogram, name))
        names, record = np.array(list(self.histograms)), np.array(json.dumps(self.record))
        shapes = [self.shapes[name] for name in self.histograms]
        for kind in MOMENTS:
            columns[kind] = np.array(list(getattr(self, kind)))
            for name, (mean, covariance) in getattr(self, kind).items():
                columns |= {f"{kind} {name} mean": mean, f"{kind} {name} covariance": covariance}
        with storage.atomic(npz) as temporary, temporary.open("wb") as file:
            np.savez(file, names=names, shapes=shapes, record=record, **columns)
        records.write(npz.with_suffix(".json"), records.convert(self.record, Calibration))

    @classmethod
    def load(cls, npz: Path) -> "Statistics":
        """Read what `save` wrote; CalibrationError when it is something else."""
        try:
            with np.load(npz) as file:
                data = dict(file)
            saved = Saved(*(data[name] for name in Saved._fields))
            names, shapes = saved.names.tolist(), [tuple(shape) for shape in saved.shapes.tolist()]
            rows = zip(saved.counts, saved.width.tolist(), saved.low.tolist(), saved.high.tolist(), strict=True)
            channels, windows = (
                {name: Moments(data[f"{kind} {name} mean"], data[f"{kind} {name} covariance"]) for name in data[kind]}
                for kind in MOMENTS
            )
            record = json.loads(str(saved.record))
        except (OSError, EOFError, KeyError, ValueError, BadZipFile) as error:
            raise CalibrationError(f"{npz}: no calibration statistics ({error}); {anew(npz)}") from error
        histograms = dict(zip(names, (Histogram(*row) for row in rows), strict=True))
        return cls(histograms, channels, windows, dict(zip(names, shapes, strict=True)), record)


def collect(onnx: Path, images: list[Path], imgsz: int) -> Statistics:
    """Run a float32 graph over images and keep what its tensors looked like.

    Memory is that of one image's tensors. A dynamic graph sees the images unpadded. Raises CalibrationError for tensors
    that are not finite.
    """
    graph = Graph(onnxlib.load(onnx))
    observers, windows = {name: Observer() for name in graph.read}, _windows(graph)
    channels = {node.input[0]: Sums() for conv, node in graph.convs.items() if conv not in windows}
    run = tapped(onnx, list(observers))
    for path in tqdm(images, "calibrating", unit="image", disable=None, leave=False):
        batch, _ = imagery.load(path, imgsz, graph.dynamic)
        values = dict(zip(observers, run(batch), strict=True))
        for name, observer in observers.items():
            _observe(observer, values[name], f"{onnx.name}: tensor {name} on {path}")
        for tensor, sums in channels.items():
            sums.add(values[tensor][0].reshape(values[tensor].shape[1], -1))
        for window in windows.values():
            window.add(values[window.tensor])
        values.clear()  # before the next image's are made
    return _statistics(observers, channels, windows, _provenance(onnx, images, imgsz, graph.dynamic))


def _windows(graph: Graph) -> dict[str, Window]:
    """Find the convolutions with kernels beyond 1x1 that see no more than LARGEST values."""
    sizes = {conv: graph.weight(conv).shape[1:] for conv in graph.convs}
    return {
        conv: Window(graph, conv) for conv, size in sizes.items() if size[1:] != (1, 1) and np.prod(size) <= LARGEST
    }


def _observe(observer: Observer, value: np.ndarray, where: str) -> None:
    try:
        observer.add(value)
    except ValueError as error:
        raise CalibrationError(
            f"{where}: holds {error}; the checkpoint is broken or the image is, INT8 needs finite ones"
        ) from error


def _statistics(
    observers: dict[str, Observer], channels: dict[str, Sums], windows: dict[str, Window], record: dict
) -> Statistics:
    return Statistics(
        {name: observer.histogram for name, observer in observers.items()},
        {name: sums.moments for name, sums in channels.items()},
        {conv: window.seen.moments for conv, window in windows.items()},
        {name: observer.shape for name, observer in observers.items()},
        record,
    )


def _provenance(onnx: Path, images: list[Path], imgsz: int, dynamic: bool) -> dict:
    return {
        "algorithm": ALGORITHM,
        "preprocessing": {"imgsz": imgsz, "shape": "dynamic" if dynamic else "static", "steps": PREPROCESSING},
        "versions": {name: version(name) for name in ("numpy", "onnx", "onnxruntime", "opencv-python-headless")},
        "onnx": {"file": onnx.name, "sha256": storage.sha256(onnx)},
        "images": [{"file": path.name, "sha256": storage.sha256(path)} for path in images],
    }
