"""Builder check without a GPU: TensorRT-RTX takes every typed ONNX, with strong types and Q/DQ as TensorRT 11 does."""

import importlib.util
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
import torch

from speedmap.graph import batch, export, fp16
from speedmap.graph.detector_graph import Graph
from speedmap.model import checkpoint, rewrites, yolov5
from speedmap.model.architecture import Architecture
from speedmap.quantization import calibration, insert_qdq, split_range
from speedmap.quantization.options import Options

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("tensorrt_rtx_bindings") is None, reason="TensorRT-RTX is not installed (envs/dev.txt)"
)

SHARED = Path(__file__).parents[5] / "shared"
SAMPLE = [Path(__file__).parents[4] / f"sample/yolov5{size}-mini.safetensors" for size in "sx"]  # the ends
OFFICIAL = [SHARED / f"weights/yolov5{name}.pt" for name in ("n-v7.0", "s-v6.0")]
absent = pytest.mark.skipif(not SHARED.is_dir(), reason="no real checkpoints beside the project")
CHECKPOINTS = [
    *(pytest.param(path, id=path.stem) for path in SAMPLE),
    *(pytest.param(path, id=path.stem, marks=[absent, pytest.mark.shared]) for path in OFFICIAL),
]
CELLS = [(kind, shape) for kind in ("fp16", "int8") for shape in ("static", "dynamic")]


def use_rtx():
    os.environ["POLYGRAPHY_USE_TENSORRT_RTX"] = "1"


def parse_and_build(path, shapes):
    """Build typed ONNX; returns the size of the plan and what the builder decided."""
    from speedmap.engines.tensorrt.builder import serialize
    from speedmap.engines.tensorrt.builder_config import Options as BuilderOptions

    plan, facts = serialize(path, shapes, BuilderOptions(builder_level=3))
    return plan.nbytes, facts


@pytest.fixture(scope="module")
def rtx():
    """A process of its own, since Polygraphy takes one kind of TensorRT a process."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), use_rtx) as pool:
        yield lambda path, shapes: pool.submit(parse_and_build, path, shapes).result()


def shapes(imgsz, shape):
    largest = (1, 3, imgsz, imgsz)
    return ((1, 3, 32, 32), (1, 3, imgsz // 64 * 32, imgsz), largest) if shape == "dynamic" else (largest,) * 3


def photos(folder, count=2):
    folder.mkdir(exist_ok=True)
    random = np.random.default_rng(0)
    for index in range(count):
        small = random.integers(0, 256, (6, 8, 3), np.uint8)
        cv2.imwrite(str(folder / f"{index}.png"), cv2.resize(small, (64, 48), interpolation=cv2.INTER_CUBIC))
    return sorted(folder.iterdir())


class Maker:
    """Takes networks through the steps of the workflow up to typed ONNX files; shared steps are done once."""

    def __init__(self, folder, network, imgsz, splits=0, **options):
        self.folder, self.imgsz, self.options, self.rounded = folder, imgsz, Options(**options), {}
        self.splits = splits
        for shape in ("static", "dynamic"):
            export.export(network, self.plain(shape), imgsz, shape == "dynamic")

    def plain(self, shape):
        return self.folder / f"{shape}.onnx"

    @cached_property
    def statistics(self):
        images = photos(self.folder / "images")
        return calibration.collect(self.plain("static"), images, self.imgsz)

    def typed(self, kind, shape):
        model = onnx.load(self.plain(shape))
        if kind == "int8":
            graph, head = Graph(model), Graph(model).head
            split = [name for name in graph.producers if split_range.splittable(graph, name, head)][: self.splits]
            ranges_of = dict.fromkeys(split, split_range.METHOD)
            model = insert_qdq.quantize(model, self.statistics, head, "tensorrt", self.options, self.rounded, ranges_of)
        path = self.folder / f"{kind}-{shape}.onnx"
        onnx.save(fp16.to_fp16(model), path)
        return path


@pytest.fixture(scope="module")
def mini(tmp_path_factory):
    torch.manual_seed(0)
    network = yolov5.YOLOv5(Architecture.official("n", 3, 0.5)).eval().fuse()
    return Maker(tmp_path_factory.mktemp("mini"), network, 64)


@pytest.fixture(scope="module")
def rewritten(tmp_path_factory):
    torch.manual_seed(0)
    network = yolov5.YOLOv5(Architecture.official("n", 3, 0.5)).eval().fuse()
    return Maker(tmp_path_factory.mktemp("rewritten"), rewrites.rewritten(network, stem=7), 64, splits=2)


@pytest.fixture(scope="module")
def real(request, tmp_path_factory):
    """A checkpoint of the default matrix, or an official one; how its weights are rounded is all one to a builder."""
    network = yolov5.build(checkpoint.load(request.param).tensors)
    return Maker(tmp_path_factory.mktemp(request.param.stem), network, 320, splits=2, compensate=False)


@pytest.mark.parametrize(("kind", "shape"), CELLS)
def test_a_small_detector_is_built(rtx, mini, kind, shape):
    size, facts = rtx(mini.typed(kind, shape), shapes(64, shape))
    assert size > 10_000
    assert facts["types"] == "strong"


@pytest.mark.parametrize("kind", ["fp16", "int8"])
def test_a_batch_of_a_small_detector_is_built(rtx, mini, kind):
    path = mini.folder / f"{kind}-static-b4.onnx"
    onnx.save(batch.rebatched(onnx.load(mini.typed(kind, "static")), 4), path)
    size, _ = rtx(path, ((4, 3, 64, 64),) * 3)
    assert size > 10_000


@pytest.mark.parametrize(("kind", "shape"), CELLS)
def test_a_detector_in_another_form_is_built(rtx, rewritten, kind, shape):
    graph = Graph(onnx.load(rewritten.plain(shape)))
    assert graph.weight(graph.first[0]).shape[2:] == (7, 7)
    path = rewritten.typed(kind, shape)
    typed = Graph(onnx.load(path))
    made = len(typed.constant(typed.convs[graph.first[0]].input[2]))
    assert made == (2 if kind == "int8" else 1) * graph.weight(graph.second[0]).shape[1]  # a split range has two copies
    size, _ = rtx(path, shapes(64, shape))
    assert size > 10_000


@pytest.mark.parametrize("real", CHECKPOINTS, indirect=True)
@pytest.mark.parametrize(("kind", "shape"), CELLS)
def test_a_real_detector_is_built(rtx, real, kind, shape):
    size, _ = rtx(real.typed(kind, shape), shapes(320, shape))
    assert size > 100_000


def test_a_graph_of_two_float_types_is_refused_with_the_node(rtx, tmp_path):
    """Strong typing converts nothing silently: what a file leaves to the builder fails here, not on a user's GPU."""
    half, single = onnx.TensorProto.FLOAT16, onnx.TensorProto.FLOAT
    nodes = [
        onnx.helper.make_node("Cast", ["images"], ["half"], "narrow", to=half),
        onnx.helper.make_node("Add", ["images", "half"], ["output"], "mixed"),
    ]
    ends = [onnx.helper.make_tensor_value_info(name, single, [1, 3, 64, 64]) for name in ("images", "output")]
    graph = onnx.helper.make_graph(nodes, "mixed", ends[:1], ends[1:])
    onnx.save(
        onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8),
        tmp_path / "x.onnx",
    )
    with pytest.raises(RuntimeError, match=r"x\.onnx with TensorRT .*mixed"):
        rtx(tmp_path / "x.onnx", shapes(64, "static"))
