import contextlib
import os

import numpy as np
import onnx
import openvino
import pytest

from helpers.networks import tiny
from speedmap.engines import openvino as openvino_backend
from speedmap.graph import export, fp16, onnx_runtime
from speedmap.graph.detector_graph import INPUT
from speedmap.results.cell import Cell

SIDE = 64
FAST = "bf16" if "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES") else "fp32"


@pytest.fixture(scope="module", params=[False, True], ids=["static", "dynamic"])
def built(request, tmp_path_factory):
    plain, typed, engine = (tmp_path_factory.mktemp("engine") / name for name in ("plain.onnx", "half.onnx", "engine"))
    export.export(tiny().fuse(), plain, SIDE, request.param)
    onnx.save(fp16.to_fp16(onnx.load(plain)), typed)
    openvino_backend.OpenVINO().build(typed, engine, (SIDE, SIDE), SIDE, request.param, {})
    return plain, typed, engine


def test_a_float_engine_runs_the_fastest_type(built):
    _, typed, engine = built
    assert openvino_backend.OpenVINO().audit(engine, typed, SIDE).shares == {FAST: 1.0}


def test_a_built_engine_computes_what_the_graph_computes(built):
    plain, _, engine = built
    image = np.random.default_rng(0).random((1, 3, SIDE, SIDE), np.float32)
    with openvino_backend.Session(engine, Cell("openvino", "tiny", "fp16", "static")) as session:
        session.load(image)
        session.run()
        found = session.fetch()
    np.testing.assert_allclose(found, onnx_runtime.session(plain).run(None, {INPUT: image})[0], atol=0.5)


def test_a_graph_that_memory_does_not_hold_is_refused_with_what_to_do(built, monkeypatch, tmp_path):
    def full(_graph):
        raise RuntimeError("Check 'ptr' failed at cpu_memory.cpp:257: Failed to allocate 2582118400 bytes of memory")

    monkeypatch.setattr(openvino_backend, "compile_graph", full)
    with pytest.raises(openvino_backend.EngineError, match=r"plain\.onnx: .* take a smaller batch"):
        openvino_backend.OpenVINO().build(built[0], tmp_path / "engine", (64, 64), 64, False, {})


def test_the_layers_of_an_engine_are_timed_by_kind(built):
    _, _, engine = built
    image = np.random.default_rng(0).random((1, 3, SIDE, SIDE), np.float32)
    kinds = openvino_backend.OpenVINO().layers(engine, Cell("openvino", "tiny", "fp16", "static"), image, 3)
    assert {"Convolution", "Reorder"} & set(kinds)
    assert all(ms >= 0 for ms in kinds.values())
    assert sum(kinds.values()) > 0


def test_sessions_side_by_side_compute_what_one_alone_does(built, monkeypatch):
    _, _, engine = built
    monkeypatch.setattr(openvino_backend.environment, "physical_cores", lambda: 2)
    images = np.random.default_rng(0).random((2, 1, 3, SIDE, SIDE), np.float32)
    cell, found = Cell("openvino", "tiny", "fp16", "static"), []
    with openvino_backend.Session(engine, cell) as alone, contextlib.ExitStack() as stack:
        pair = [stack.enter_context(session) for session in openvino_backend.OpenVINO().sessions(engine, cell)]
        granted = min(2, len(os.sched_getaffinity(0)))  # of the two that are asked for
        assert [session.facts["streams"] for session in (alone, *pair)] == [1, granted, granted]
        for session, image in zip(pair, images, strict=True):
            session.load(image)
            session.run()
        for session, image in zip(pair, images, strict=True):  # after both have run, so that a shared output shows
            alone.load(image)
            alone.run()
            found.append(np.array_equal(session.fetch(), alone.fetch()))
    assert found == [True, True]
