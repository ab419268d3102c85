"""What a session does with an engine, on stand-ins made from TensorRT's real classes; run by test_surface.py."""

import json
import weakref
from contextlib import contextmanager

import engines
import numpy as np
import pytest
from cuda.bindings import driver as cuda

from helpers.cuda_driver import Driver, balanced
from speedmap.engines.tensorrt import session as trt_session
from speedmap.engines.tensorrt.cuda import CudaError, Stream
from speedmap.engines.tensorrt.library import EngineError

HERE = {"gpu": "Fake GPU", "compute_capability": "9.0", "tensorrt": "as given"}


@pytest.fixture
def opened(monkeypatch, tmp_path):
    """Open a session on an engine of which `contexts` contexts can be had, and which runs while `runs` is true."""

    @contextmanager
    def session(driver=None, contexts=99, runs=lambda: True, output="output"):
        driver, left = driver or Driver(), iter(range(contexts))

        def context():
            if next(left, None) is None:
                return None
            made = engines.context(lambda: driver.calls.append("enqueue") or runs(), output)
            weakref.finalize(made, driver.calls.append, "~Context")
            return made

        monkeypatch.setattr(trt_session, "platform", lambda: HERE)
        monkeypatch.setattr(trt_session, "Stream", lambda: Stream(driver))
        monkeypatch.setattr(trt_session, "deserialize", lambda path, here: (object(), engines.engine(context, output)))
        with trt_session.Session(tmp_path / "engine") as it:
            yield it

    return session


def image(height, width, value=0.25):
    return np.full((1, 3, height, width), value, np.float32)


def test_what_goes_in_comes_out_in_every_shape(opened):
    with opened() as session:
        for value, shape in ((0.25, (32, 64)), (0.5, (64, 32)), (0.75, (64, 64)), (1.0, (32, 64))):
            session.load(image(*shape, value))
            session._plan.context.execute_async_v3(0)  # the fake graph computes nothing
            assert session.run() == 0.5
            output = session.fetch()
            assert output.shape == (1, shape[0] * shape[1] // 1024, 7)
            assert (output == value).all()
        assert set(session.last) == {"h2d", "enqueue", "compute", "d2h"}
        assert session.facts["graphs"] == {"captured": 3, "refused": {}}
        json.dumps(session.facts)


def test_an_output_of_another_name_comes_out_too(opened):
    with opened(output="output0") as session:
        session.load(image(32, 64, 0.5))
        session._plan.context.execute_async_v3(0)
        assert session.fetch().tolist() == [[[0.5] * 7] * 2]


def test_a_shape_runs_once_before_its_graph_is_captured_and_is_replayed_between_two_events(opened):
    driver = Driver()
    with opened(driver) as session:
        session.load(image(64, 64))
        start = len(driver.calls)
        session.run()
        assert driver.calls[start:] == [
            "cuEventRecord", "cuGraphLaunch", "cuEventRecord", "cuEventSynchronize", "cuEventElapsedTime",
        ]  # fmt: skip
    first = driver.calls.index("enqueue")
    assert driver.calls[first : first + 5] == [
        "enqueue", "cuStreamSynchronize", "cuStreamBeginCapture", "enqueue", "cuStreamEndCapture",
    ]  # fmt: skip


def test_a_run_that_is_not_timed_keeps_the_gpu_busy(opened):
    driver = Driver()
    with opened(driver) as session:
        session.load(image(64, 64))
        start = len(driver.calls)
        session.occupy()
        assert driver.calls[start:] == ["cuGraphLaunch"]


def test_shapes_share_buffers_but_no_context(opened):
    driver = Driver()
    with opened(driver) as session:
        allocated = driver.calls.count("cuMemAlloc")
        for shape in ((32, 64), (64, 32), (64, 64)):
            session.load(image(*shape))
        assert driver.calls.count("cuMemAlloc") == allocated == 3
        assert len({id(plan.context) for plan in session._plans.values()}) == 3


@pytest.mark.parametrize("batch", [image(96, 32), image(32, 16), image(32, 48), np.zeros((3, 32, 32), np.float32)])
def test_a_shape_outside_the_profile_is_refused_before_anything_is_enqueued(opened, batch):
    driver = Driver()
    with opened(driver) as session:
        before = list(driver.calls)
        with pytest.raises(EngineError, match="outside of the engine's profile"):
            session.load(batch)
        assert driver.calls == before


def test_other_types_than_contiguous_float32_are_refused(opened):
    with opened() as session:
        for batch in (image(32, 32).astype(np.float64), image(32, 64)[..., ::2]):
            with pytest.raises(EngineError, match="float32"):
                session.load(batch)


def test_without_a_graph_kernels_are_enqueued_and_the_reason_is_kept(opened):
    driver = Driver(["cuStreamEndCapture"], cuda.CUresult.CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED)
    with opened(driver) as session:
        session.load(image(32, 64))
        start = len(driver.calls)
        session.run()
        assert driver.calls[start + 1] == "enqueue"
        assert "CAPTURE_UNSUPPORTED" in session.facts["graphs"]["refused"]["1x3x32x64"]


def test_one_context_serves_all_shapes_when_there_is_no_second(opened):
    driver = Driver()
    with opened(driver, contexts=2) as session:  # one of them only asks for the output's size
        for value, shape in ((0.5, (64, 64)), (0.75, (32, 64))):
            session.load(image(*shape, value))
            session.run()
            assert (session.fetch() == value).all()
        assert session.facts["graphs"]["captured"] == 0
        assert "all" in session.facts["graphs"]["refused"]


@pytest.mark.parametrize("failing", ["cuCtxSetCurrent", "cuMemHostAlloc", "cuEventCreate", "cuStreamSynchronize"])
def test_an_error_on_opening_gives_everything_back(opened, failing):
    driver = Driver([failing])
    with pytest.raises(CudaError, match=f"{failing}: CUDA_ERROR_OUT_OF_MEMORY"), opened(driver):
        pass
    assert balanced(driver.calls, failing)


def test_an_error_on_cleaning_up_stops_no_other_step_and_hides_no_earlier_error(opened):
    driver = Driver(["cuMemFree", "cuStreamDestroy"])
    with pytest.raises(KeyError, match="mine"), opened(driver):
        raise KeyError("mine")
    assert balanced(driver.calls)
    assert driver.calls[-1] == "cuDevicePrimaryCtxRelease"


def test_an_engine_that_refuses_to_run_is_an_error(opened):
    with pytest.raises(EngineError, match="refused to run"), opened(runs=lambda: False):
        pass


@pytest.mark.parametrize("early", [True, False])
def test_tensorrts_objects_go_before_the_cuda_context_after_an_error_too(opened, early):
    driver, succeeds = Driver(), [not early]

    def refused():
        with opened(driver, runs=lambda: succeeds[0]) as session:
            succeeds[0] = False
            session.load(image(64, 64))

    with pytest.raises(EngineError, match="refused to run"):
        refused()
    assert driver.calls.index("cuMemFree") > max(i for i, call in enumerate(driver.calls) if call == "~Context")
    assert driver.calls.count("~Context") >= 2
