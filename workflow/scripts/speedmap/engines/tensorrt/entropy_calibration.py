"""INT8 the old way, as a contrast: TensorRT's entropy calibrator finds the ranges while it builds a float32 graph.

TensorRT 10 deprecates it and 11 has removed it, so its base class is looked up only when it is wanted. It takes one
shape: a dynamic network is calibrated at imgsz x imgsz, too, the shape that explicit INT8 takes its statistics at.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
from onnx import ModelProto

from speedmap import storage
from speedmap.dataset import images, letterbox
from speedmap.engines.tensorrt.builder_config import Implicit
from speedmap.engines.tensorrt.cuda import Stream
from speedmap.engines.tensorrt.library import EngineError, load
from speedmap.engines.tensorrt.weak_typing import UNPINNED
from speedmap.graph.detector_graph import INPUT, Graph
from speedmap.results import records
from speedmap.results.inventory import ImageSet

GONE = "int8: {method: explicit}, the default, does what this did and loses less"


class Feed:
    """Calibration images one by one in GPU memory, and the cache of what TensorRT makes of them.

    TensorRT only prints what is raised in its callbacks and then goes on with too few images: `error` keeps it until
    `check`. stream: an open Stream. cache: a file that need not exist.
    """

    def __init__(self, stream: Stream, files: list[Path], imgsz: int, cache: Path) -> None:
        self.stream, self.files, self.imgsz, self.cache = stream, files, imgsz, cache
        self.host = stream.pinned(3 * imgsz * imgsz)
        self.address = stream.device(self.host.nbytes)
        self.fed, self.error, self.known = 0, None, None

    def batch(self, names: list[str]) -> list[int] | None:
        """Copy the next image, float32 [1, 3, imgsz, imgsz] in 0..1, to the GPU; returns its address, or None."""
        if self.error or self.fed == len(self.files):
            return None
        try:
            if list(names) != [INPUT]:
                raise EngineError(f"TensorRT asks for {list(names)} to calibrate, instead of {INPUT}; export it again")
            self.host[:] = images.load(self.files[self.fed], self.imgsz, dynamic=False)[0].reshape(-1)
            self.stream.to_device(self.address, self.host)
            self.stream.synchronize()  # TensorRT reads it on a stream of its own
        except Exception as error:
            self.error = error
            return None
        self.fed += 1
        return [self.address]

    def read(self) -> bytes | None:
        """Return the cached ranges; None, and TensorRT calibrates, when there are none."""
        try:
            self.known = self.cache.read_bytes() if self.cache.is_file() else None  # kept: TensorRT does not copy it
        except OSError as error:
            self.error = error
        return self.known

    def write(self, ranges: Any) -> None:
        """Keep the ranges in the cache, if they come from all of the images."""
        if self.error or self.fed < len(self.files):
            return
        try:
            with storage.atomic(self.cache) as temporary:
                temporary.write_bytes(bytes(ranges))
        except OSError as error:
            self.error = error

    def check(self, built: bool) -> None:
        """Raise what went wrong in a callback, or EngineError when an engine was built without all of the images."""
        if self.error:
            raise self.error
        if built and self.fed < len(self.files) and (self.fed or self.known is None):
            raise EngineError(f"TensorRT calibrated on {self.fed} of {len(self.files)} images and gave no reason")

    def facts(self) -> dict:
        """Return what the ranges come from, for the record of the build."""
        return {"method": "entropy", "images": len(self.files), "imgsz": self.imgsz, "cache": str(self.cache),
                "cached": self.fed == 0}  # fmt: skip


def calibrator(feed: Feed) -> Any:
    """Make TensorRT's calibrator out of a feed; EngineError where TensorRT has none."""
    trt = load()
    if not hasattr(trt, "IInt8EntropyCalibrator2"):
        raise EngineError(f"int8.method: TensorRT {trt.__version__} has no implicit calibration; {GONE}")

    class Calibrator(trt.IInt8EntropyCalibrator2):
        def __init__(self) -> None:
            trt.IInt8EntropyCalibrator2.__init__(self)

        def get_batch_size(self) -> int:
            return 1

        def get_batch(self, names: list[str]) -> list[int] | None:
            return feed.batch(names)

        def read_calibration_cache(self) -> bytes | None:
            return feed.read()

        def write_calibration_cache(self, cache: Any) -> None:
            feed.write(cache)

    return Calibrator()


@contextmanager
def feeding(onnx: Path, imgsz: int, options: Implicit | None, here: dict[str, str]) -> Iterator[Feed | None]:
    """Open a feed for the build of a float32 graph; None where `options` is, because the graph is typed."""
    if options is None:
        yield None
        return
    listed = records.read(Path(options.image_set), ImageSet).calibration_files
    files = list(map(Path, listed[: options.images]))
    with Stream() as stream:
        yield Feed(stream, files, imgsz, cache_of(onnx, files, imgsz, here))


def cache_of(onnx: Path, files: list[Path], imgsz: int, here: dict[str, str]) -> Path:
    """Name the cache of ranges after all that they depend on, so that no cache can be stale."""
    content = {
        "onnx": storage.sha256(onnx),
        "images": [storage.sha256(file) for file in files],
        "preprocessing": preprocessing(imgsz),
        # TensorRT calibrates its fused layers, and those need not be the same on another GPU
        **{key: here[key] for key in ("tensorrt", "gpu")},
    }
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return Path(f"resources/implicit-{digest[:16]}.cache")


def preprocessing(imgsz: int) -> list:
    """Describe how image files become network inputs: size, decoder, and the code itself."""
    return [imgsz, cv2.__version__, *(storage.sha256(Path(module.__file__)) for module in (images, letterbox))]


def decoding(model: ModelProto) -> set[str]:
    """Name the tensors of a float32 graph that its last convolutions do not depend on: what decodes their outputs.

    They stay float32, as in a typed graph: boxes in 256 steps would be a poor contrast.
    """
    graph = Graph(model)
    needed = {graph.convs[name].output[0] for name in graph.head}
    tail = set()
    for node in reversed(model.graph.node):  # topological order, so consumers come first
        if needed.intersection(node.output):
            needed.update(node.input)
        elif node.op_type not in UNPINNED:
            tail.update(node.output)
    return tail


def flags(feed: Feed | None) -> dict:
    """Return Polygraphy's precision arguments for a build that calibrates, {} for any other."""
    return {"fp16": True, "int8": True, "calibrator": calibrator(feed)} if feed else {}


def set_shape(builder: Any, config: Any, feed: Feed | None) -> None:
    """Let a build calibrate at the shape of the feed's batches; Polygraphy set the likeliest one."""
    if feed is None:
        return
    profile, shape = builder.create_optimization_profile(), (1, 3, feed.imgsz, feed.imgsz)
    profile.set_shape(INPUT, shape, shape, shape)
    if not config.set_calibration_profile(profile):
        raise EngineError(f"TensorRT refuses to calibrate at {list(shape)}; set int8: {{method: explicit}}")
