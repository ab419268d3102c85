"""Builder check without a GPU: TensorRT-RTX takes every typed ONNX, with strong types and Q/DQ as TensorRT 11 does."""

import importlib.util
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
import torch

from speedmap import calibrate, checkpoint, export, precision, quantize, yolov5

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("tensorrt_rtx_bindings") is None, reason="TensorRT-RTX is not installed (envs/dev.txt)"
)

SHARED = Path(__file__).parents[3] / "shared"
CELLS = [(kind, shape) for kind in ("fp16", "int8") for shape in ("static", "dynamic")]


def use_rtx():
    os.environ["POLYGRAPHY_USE_TENSORRT_RTX"] = "1"


def parse_and_build(path, shapes):
    """Build typed ONNX; gives the size of the plan and what the builder decided."""
    from speedmap.tensorrt_build import serialize

    plan, facts = serialize(path, shapes, {"builder_level": 3})
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


def typed(network, folder, imgsz, kind, shape):
    """Take a network through the steps of the workflow up to its typed ONNX file."""
    plain, path = folder / f"{shape}.onnx", folder / f"{kind}-{shape}.onnx"
    export.export(network, plain, imgsz, shape == "dynamic")
    model = onnx.load(plain)
    if kind == "int8":
        images = photos(folder / "images")
        statistics = calibrate.collect(plain, images, imgsz, {"images": len(images)})
        model = quantize.quantize(model, statistics, [], "tensorrt", {})
    onnx.save(precision.half(model), path)
    return path


@pytest.fixture(scope="module")
def mini():
    torch.manual_seed(0)
    return yolov5.YOLOv5(yolov5.Layout.official("n", 3, 0.5)).eval().fuse()


@pytest.mark.parametrize(("kind", "shape"), CELLS)
def test_a_small_detector_is_built(rtx, mini, tmp_path, kind, shape):
    size, facts = rtx(typed(mini, tmp_path, 64, kind, shape), shapes(64, shape))
    assert size > 10_000
    assert facts["types"] == "strong"


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="no real checkpoints beside the project")
@pytest.mark.parametrize("weights", ["yolov5n-v7.0", "yolov5s-v6.0"])
@pytest.mark.parametrize(("kind", "shape"), CELLS)
def test_a_real_detector_is_built(rtx, tmp_path, weights, kind, shape):
    network = yolov5.build(checkpoint.load(SHARED / "weights" / f"{weights}.pt").tensors)
    size, _ = rtx(typed(network, tmp_path, 320, kind, shape), shapes(320, shape))
    assert size > 1_000_000


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
