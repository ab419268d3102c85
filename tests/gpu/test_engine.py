"""A TensorRT engine on a real GPU; skipped, with the reason, where there is none."""

import json
import statistics
from contextlib import ExitStack

import numpy as np
import onnx
import onnxruntime
import pytest

from speedmap import storage
from speedmap.engines.tensorrt import library
from speedmap.engines.tensorrt.backend import TensorRT
from speedmap.engines.tensorrt.cuda import Stream
from speedmap.engines.tensorrt.library import EngineError
from speedmap.graph import fp16
from speedmap.machine.monitor import watch
from speedmap.results.cell import Cell

UNUSABLE = library.usable()
pytestmark = [pytest.mark.gpu, pytest.mark.skipif(UNUSABLE is not None, reason=str(UNUSABLE))]

CELL = Cell("tensorrt", "mini", "fp16", "dynamic")
SIDE = 128


def detector():
    """Make ONNX of a small dynamic detector without torch: three convolutions, decoded to one row an anchor."""
    random = np.random.default_rng(0)
    tensors = [
        onnx.numpy_helper.from_array(random.normal(0, 0.2, shape).astype(np.float32), name)
        for name, shape in (("w0", (16, 3, 3, 3)), ("w1", (16, 16, 3, 3)), ("w2", (7, 16, 1, 1)))
    ]
    tensors += [
        onnx.numpy_helper.from_array(np.array([1, 7, -1], np.int64), "rows"),
        onnx.numpy_helper.from_array(np.float32(100), "side"),
    ]
    stride = {"strides": [4, 4], "pads": [1, 1, 1, 1], "kernel_shape": [3, 3]}
    nodes = [
        onnx.helper.make_node("Conv", ["images", "w0"], ["c0"], "conv0", **stride),
        onnx.helper.make_node("Relu", ["c0"], ["r0"], "relu0"),
        onnx.helper.make_node("Conv", ["r0", "w1"], ["c1"], "conv1", **stride),
        onnx.helper.make_node("Relu", ["c1"], ["r1"], "relu1"),
        onnx.helper.make_node("Conv", ["r1", "w2"], ["c2"], "head", kernel_shape=[1, 1]),
        onnx.helper.make_node("Sigmoid", ["c2"], ["s"], "sigmoid"),
        onnx.helper.make_node("Mul", ["s", "side"], ["m"], "decode"),
        onnx.helper.make_node("Reshape", ["m", "rows"], ["t"], "flatten"),
        onnx.helper.make_node("Transpose", ["t"], ["output"], "transpose", perm=[0, 2, 1]),
    ]
    ends = [
        onnx.helper.make_tensor_value_info("images", onnx.TensorProto.FLOAT, [1, 3, "height", "width"]),
        onnx.helper.make_tensor_value_info("output", onnx.TensorProto.FLOAT, [1, "anchors", 7]),
    ]
    graph = onnx.helper.make_graph(nodes, "mini", ends[:1], ends[1:], tensors)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    return onnx.shape_inference.infer_shapes(model)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Build a dynamic float16 engine of the small detector, with its description beside it."""
    folder = tmp_path_factory.mktemp("mini")
    onnx.save(detector(), folder / "plain.onnx")
    onnx.save(fp16.to_fp16(detector()), folder / "model.onnx")
    options = {"builder_level": 0}
    facts = TensorRT().build(folder / "model.onnx", folder / "engine", (96, SIDE), SIDE, True, options)
    description = {"engine_sha256": storage.sha256(folder / "engine"), "platform": library.platform()}
    (folder / "engine.json").write_text(json.dumps(description))
    return folder, facts


def image(height, width, seed=0):
    return np.random.default_rng(seed).random((1, 3, height, width), np.float32)


SHAPES = [(96, 128), (128, 96), (128, 128), (32, 128), (96, 128)]


def test_the_build_says_how_it_went(built):
    _, facts = built
    assert facts["build_s"] > 0
    assert facts["engine_mb"] > 0
    assert facts["builder_level"] == 0
    json.dumps(facts)


def test_outputs_agree_with_the_float32_graph_in_every_shape(built):
    folder, _ = built
    reference = onnxruntime.InferenceSession(folder / "plain.onnx", providers=["CPUExecutionProvider"])
    with TensorRT().session(folder / "engine", CELL) as session:
        for seed, shape in enumerate(SHAPES):
            batch = image(*shape, seed)
            session.load(batch)
            for _ in range(3):
                session.occupy()
                assert session.run() > 0
            np.testing.assert_allclose(session.fetch(), reference.run(None, {"images": batch})[0], atol=0.5)
        assert session.facts["graphs"] == {"captured": 4, "refused": {}}
        assert all(value >= 0 for value in session.last.values())
        json.dumps(session.facts)


def test_the_layers_are_timed_by_kind(built):
    folder, _ = built
    kinds = TensorRT().layers(folder / "engine", CELL, image(96, SIDE), 5)
    assert sum(kinds.values()) > 0
    assert any("onv" in kind for kind in kinds)


def test_sessions_give_the_memory_back(built):
    folder, _ = built

    def open_many(number=20):
        """Hold some sessions at once; returns the free memory meanwhile."""
        with ExitStack() as stack:
            for _ in range(number):
                session = stack.enter_context(TensorRT().session(folder / "engine", CELL))
                session.load(image(SIDE, SIDE))
                session.run()
            return stream.call("cuMemGetInfo")

    with Stream() as stream:  # keeps the context, and with it what is loaded once
        open_many()
        before = stream.call("cuMemGetInfo")
        taken = before - open_many()
        assert taken > 0
        assert before - stream.call("cuMemGetInfo") < taken / 10


def test_a_shape_outside_the_profile_is_refused_and_the_session_goes_on(built):
    folder, _ = built
    with TensorRT().session(folder / "engine", CELL) as session:
        with pytest.raises(EngineError, match="outside of the engine's profile"):
            session.load(image(160, 128))
        session.load(image(128, 128))
        assert session.run() > 0


def test_the_audit_finds_the_convolutions_in_float16(built):
    folder, _ = built
    found = TensorRT().audit(folder / "engine", folder / "model.onnx", SIDE)
    assert set(found.layers) == {"conv0", "conv1", "head"}
    assert found.shares.get("fp16", 0) > 0.9


def test_a_truncated_engine_is_refused(built, tmp_path):
    folder, _ = built
    (tmp_path / "engine").write_bytes((folder / "engine").read_bytes()[:-100])
    with pytest.raises(EngineError, match="truncated"), TensorRT().session(tmp_path / "engine", CELL):
        pass


def test_the_watch_sees_the_gpu_and_this_run_only(built):
    folder, _ = built
    with TensorRT().session(folder / "engine", CELL) as session, watch() as watching:
        session.load(image(128, 128))
        times = [session.run() for _ in range(2000)]
    assert statistics.median(times) > 0
    assert watching.result.alive
    assert watching.result.ranges["sm_mhz"][1] > 0
    assert watching.result.foreign_pids == []
