import ctypes
import enum
import json
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from speedmap import storage
from speedmap.engines.tensorrt import builder, engine_file, library, weak_typing
from speedmap.engines.tensorrt import session as trt_session
from speedmap.engines.tensorrt.builder_config import Options
from speedmap.engines.tensorrt.cuda import CudaError, Stream
from speedmap.engines.tensorrt.library import EngineError, decoded, explain, memory_peak, unfit
from speedmap.machine.nvml import Identity
from speedmap.results.cell import Cell

HERE = {"gpu": "Fake GPU", "compute_capability": "9.0", "tensorrt": "8.6.1", "driver": "1", "cuda_driver": "12.8"}
CELL = Cell("tensorrt", "yolov5n", "fp16", "dynamic")
ANCHORS = 2


class Code(enum.IntEnum):
    CUDA_SUCCESS = 0
    CUDA_ERROR_OUT_OF_MEMORY = 2
    CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED = 900


class Driver:
    """Stands in for cuda.bindings.driver: notes every call, moves real memory, fails where it is told to."""

    CUstream_flags = SimpleNamespace(CU_STREAM_NON_BLOCKING=SimpleNamespace(value=1))
    CUstreamCaptureMode = SimpleNamespace(CU_STREAM_CAPTURE_MODE_THREAD_LOCAL=1)

    def __init__(self, fails=(), code=Code.CUDA_ERROR_OUT_OF_MEMORY):
        self.calls, self.fails, self.code, self.memory, self.handles = [], fails, code, {}, iter(range(100, 10_000))

    def __getattr__(self, name):
        def call(*args):
            self.calls.append(name)
            if name in self.fails:
                return (self.code,)
            return (Code.CUDA_SUCCESS, *getattr(type(self), f"_{name}", type(self)._handle)(self, *args))

        return call

    def _handle(self, *_args):
        return (next(self.handles),)

    def _cuMemAlloc(self, size, *_flags):
        buffer = ctypes.create_string_buffer(size)
        self.memory[ctypes.addressof(buffer)] = buffer
        return (ctypes.addressof(buffer),)

    _cuMemHostAlloc = _cuMemAlloc

    def _cuMemcpyHtoDAsync(self, to, source, size, _stream):
        ctypes.memmove(to, source, size)
        return ()

    _cuMemcpyDtoHAsync = _cuMemcpyHtoDAsync

    def _cuEventElapsedTime(self, *_events):
        return (0.5,)


class Context:
    active_optimization_profile = 0

    def __init__(self, engine):
        self.engine, self.addresses, self.device_memory = engine, {}, None

    def set_input_shape(self, name, shape):
        self.shape = shape
        return True

    def get_tensor_shape(self, name):
        return (1, ANCHORS * self.shape[2] * self.shape[3] // 1024, 7)

    def set_tensor_address(self, name, address):
        self.addresses[name] = address

    def execute_async_v3(self, stream):
        """Fill the output with the input's first value."""
        self.engine.driver.calls.append("enqueue")
        value = ctypes.c_float.from_address(self.addresses["images"]).value
        count = int(np.prod(self.get_tensor_shape("output")))
        output = self.addresses[self.engine.get_tensor_name(1)]
        (ctypes.c_float * count).from_address(output)[:] = [value] * count
        return self.engine.runs


class Engine:
    num_io_tensors, device_memory_size, runs = 2, 4096, True

    def __init__(self, driver, contexts=99):
        self.driver, self.contexts = driver, contexts

    def get_tensor_name(self, index):
        return ("images", "output")[index]

    def get_tensor_dtype(self, name):
        return "float"

    def get_tensor_shape(self, name):
        return (1, 3, -1, -1)

    def get_tensor_profile_shape(self, name, profile):
        return [(1, 3, 32, 32), (1, 3, 32, 64), (1, 3, 64, 64)]

    def create_execution_context_without_device_memory(self):
        self.contexts -= 1
        return Context(self) if self.contexts >= 0 else None


@pytest.fixture
def opened(monkeypatch, tmp_path):
    """Open a session over fakes."""

    def patch(driver, engine):
        trt = SimpleNamespace(DataType=SimpleNamespace(FLOAT="float"))
        for module in (trt_session, engine_file):
            monkeypatch.setattr(module, "load", lambda: trt, raising=False)
            monkeypatch.setattr(module, "logger", lambda: SimpleNamespace(errors=[]), raising=False)
        monkeypatch.setattr(trt_session, "platform", lambda: HERE)
        monkeypatch.setattr(trt_session, "library", lambda: None)
        monkeypatch.setattr(trt_session, "Stream", lambda: Stream(driver))
        monkeypatch.setattr(trt_session, "deserialize", lambda path, here: (object(), engine))
        return trt_session.Session(tmp_path / "engine", CELL)

    @contextmanager
    def session(driver=None, engine=None):
        driver = driver or Driver()
        with patch(driver, engine or Engine(driver)) as it:
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
            assert output.shape == (1, ANCHORS * shape[0] * shape[1] // 1024, 7)
            assert (output == value).all()
        assert set(session.last) == {"h2d", "enqueue", "compute", "d2h"}
        assert session.facts["graphs"] == {"captured": 3, "refused": {}}
        json.dumps(session.facts)


def test_an_output_of_another_name_comes_out_too(opened, monkeypatch):
    monkeypatch.setattr(Engine, "get_tensor_name", lambda self, index: ("images", "output0")[index])
    with opened() as session:
        session.load(image(32, 64))
        addresses = session._plan.context.addresses
        assert set(addresses) == {"images", "output0"}
        assert session.fetch().shape == (1, 2 * ANCHORS, 7)


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
    driver = Driver(["cuStreamEndCapture"], Code.CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED)
    with opened(driver) as session:
        session.load(image(32, 64))
        start = len(driver.calls)
        session.run()
        assert driver.calls[start + 1] == "enqueue"
        assert "CAPTURE_UNSUPPORTED" in session.facts["graphs"]["refused"]["1x3x32x64"]


def test_one_context_serves_all_shapes_when_there_is_no_second(opened):
    driver = Driver()
    with opened(driver, Engine(driver, contexts=2)) as session:  # one of them only asks for the output's size
        for value, shape in ((0.5, (64, 64)), (0.75, (32, 64))):
            session.load(image(*shape, value))
            session.run()
            assert (session.fetch() == value).all()
        assert session.facts["graphs"]["captured"] == 0
        assert "all" in session.facts["graphs"]["refused"]


PAIRS = {
    "cuMemAlloc": "cuMemFree", "cuMemHostAlloc": "cuMemFreeHost", "cuEventCreate": "cuEventDestroy",
    "cuStreamCreate": "cuStreamDestroy", "cuDevicePrimaryCtxRetain": "cuDevicePrimaryCtxRelease",
    "cuGraphInstantiate": "cuGraphExecDestroy",
}  # fmt: skip


def balanced(calls, failed=None):
    return all(calls.count(make) - (make == failed) == calls.count(free) for make, free in PAIRS.items())


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
    driver = Driver()
    engine = Engine(driver)
    engine.runs = False
    with pytest.raises(EngineError, match="refused to run"), opened(driver, engine):
        pass


@pytest.mark.parametrize("early", [True, False])
def test_tensorrts_objects_go_before_the_cuda_context_after_an_error_too(opened, early, monkeypatch):
    driver = Driver()
    engine = Engine(driver)
    engine.runs = not early

    def refused():
        with opened(driver, engine) as session:
            engine.runs = False
            session.load(image(64, 64))

    monkeypatch.setattr(Context, "__del__", lambda self: driver.calls.append("~Context"), raising=False)
    with pytest.raises(EngineError, match="refused to run"):
        refused()
    assert driver.calls.index("cuMemFree") > max(i for i, call in enumerate(driver.calls) if call == "~Context")
    assert driver.calls.count("~Context") >= 2


@pytest.fixture
def engine(tmp_path):
    path = tmp_path / "engine"
    path.write_bytes(b"plan")
    digest = "5ca2d6c0a7e1cd5d8ef24b5d4f1fa9ad18f29d5ba4c8d3c6bd57a3d0f1ff2f3e"
    path.with_name("engine.json").write_text(json.dumps({"engine_sha256": digest, "platform": HERE}))
    return path


@pytest.mark.parametrize("key", ["gpu", "compute_capability", "tensorrt"])
def test_an_engine_from_elsewhere_is_refused(engine, key):
    with pytest.raises(EngineError, match=f"built for {key} .*delete it"):
        engine_file.refuse_foreign(engine, HERE | {key: "another"})


def test_a_further_build_is_held_against_its_own_description(engine):
    further = engine.with_name("engine.2")
    further.write_bytes(b"another plan")
    Path(f"{further}.json").write_text(json.dumps({"engine_sha256": storage.sha256(further), "platform": HERE}))
    engine_file.refuse_foreign(further, HERE)
    further.write_bytes(b"another")
    with pytest.raises(EngineError, match=r"engine\.2: truncated"):
        engine_file.refuse_foreign(further, HERE)


def test_a_truncated_engine_is_refused(engine):
    with pytest.raises(EngineError, match="truncated"):
        engine_file.refuse_foreign(engine, HERE)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"platform": {}}'])
def test_a_broken_description_of_an_engine_is_refused(engine, text):
    engine.with_name("engine.json").write_text(text)
    with pytest.raises(EngineError, match="not a description"):
        engine_file.refuse_foreign(engine, HERE)


def test_a_newer_driver_still_runs_an_engine(engine):
    with pytest.raises(EngineError, match="truncated"):  # comes after the platform
        engine_file.refuse_foreign(engine, HERE | {"driver": "2", "cuda_driver": "13.0"})


@pytest.mark.parametrize(
    ("version", "capability", "cuda", "word"),
    [
        ("8.6.1", "9.0", None, None),
        ("8.6.1", "12.0", None, "does not run on"),
        ("10.16.1", "7.0", None, "does not run on"),
        ("11.4.0", "7.5", 13, "update the driver"),
        ("11.4.0", "12.0", 12, None),
        ("10.1", "?", None, None),
    ],
)
def test_gpus_and_drivers_that_do_not_fit_are_named(version, capability, cuda, word):
    reason = unfit(version, Identity("Fake GPU", capability, "1", "12.8"), cuda)
    assert reason is None if word is None else word in reason


def test_a_tensorrt_that_is_not_there_is_said_with_the_places_looked_at(monkeypatch, tmp_path):
    monkeypatch.setenv("LD_LIBRARY_PATH", "/opt/nowhere")
    monkeypatch.setattr(library, "DEVICES", (str(tmp_path),))
    monkeypatch.setattr(library, "load", library.load.__wrapped__)

    def missing(name):
        raise OSError("libnvinfer.so.10: cannot open shared object file")

    monkeypatch.setattr(library.importlib, "import_module", missing)
    assert "libnvinfer.so.10" in (reason := library.usable())
    assert "/opt/nowhere" in reason
    monkeypatch.setattr(library, "DEVICES", (str(tmp_path / "none"),))
    assert library.usable().startswith("no NVIDIA GPU and driver here")


def test_the_library_version_is_read_in_both_spellings():
    assert decoded(8601) == (8, 6)
    assert decoded(101601) == (10, 16)


def test_errors_get_the_remedy_of_their_cause():
    assert "the GPU's memory is too small for the build" in str(
        explain(["Requested amount of GPU memory could not be allocated", "OutOfMemory"], "x")
    )
    assert "Q/DQ" in str(
        explain(["Assertion failed: scaleAllPositive && Scale coefficients must all be positive"], "x")
    )
    assert "gave no reason" in str(explain([], "x"))


def test_the_builders_memory_is_read_off_its_message():
    text = "[MemUsageStats] Peak memory usage of TRT CPU/GPU memory allocators: CPU 13 MiB, GPU 200 MiB"
    assert memory_peak(text) == {"peak_host_mib": 13, "peak_gpu_mib": 200}
    assert memory_peak("[MemUsageChange] Init CUDA: CPU +14, GPU +0") == {}


def test_the_parsers_errors_name_node_and_operator():
    node = helper.make_node("Einsum", ["a"], ["b"], name="/model.0/Einsum")
    model = helper.make_model(helper.make_graph([node], "g", [], []))
    old = SimpleNamespace(node=lambda: 0, desc=lambda: "no importer registered")
    parser = SimpleNamespace(num_errors=1, get_error=lambda index: old)
    assert builder.parser_errors(parser, model) == ["node /model.0/Einsum (Einsum): no importer registered"]


def test_static_profiles_are_dynamic_ones_with_equal_bounds():
    assert set(builder.profile((480, 640), 640, False)) == {(1, 3, 640, 640)}
    assert set(builder.profile((480, 640), 640, False, 8)) == {(8, 3, 640, 640)}
    assert builder.profile((480, 640), 640, True) == ((1, 3, 32, 32), (1, 3, 480, 640), (1, 3, 640, 640))


def typed():
    """Make a convolution in Q/DQ with float16 around it, and a decoding in float32 after it."""
    weights = np.arange(-12, 12, dtype=np.int8).reshape(2, 3, 2, 2)
    tensors = [
        numpy_helper.from_array(weights, "w"),
        numpy_helper.from_array(np.array([0.1, 0.3], np.float16), "w_scale"),
        numpy_helper.from_array(np.zeros(2, np.int8), "w_zero"),
        numpy_helper.from_array(np.float16(0.02), "x_scale"),
        numpy_helper.from_array(np.int8(0), "x_zero"),
        numpy_helper.from_array(np.float32(640), "side"),
    ]
    nodes = [
        helper.make_node("Cast", ["images"], ["half"], name="in", to=TensorProto.FLOAT16),
        helper.make_node("QuantizeLinear", ["half", "x_scale", "x_zero"], ["q"], name="q"),
        helper.make_node("DequantizeLinear", ["q", "x_scale", "x_zero"], ["dq"], name="dq"),
        helper.make_node("DequantizeLinear", ["w", "w_scale", "w_zero"], ["dw"], name="dw", axis=0),
        helper.make_node("Conv", ["dq", "dw"], ["conv"], name="conv"),
        helper.make_node("Cast", ["conv"], ["single"], name="out", to=TensorProto.FLOAT),
        helper.make_node("Mul", ["single", "side"], ["output"], name="decode"),
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, channels, None, None])
            for name, channels in (("images", 3), ("output", 2))]  # fmt: skip
    graph = helper.make_graph(nodes, "typed", ends[:1], ends[1:], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)


def test_a_weakly_typed_tensorrt_gets_float32_and_weights_that_quantize_to_the_same_integers():
    twin = weak_typing.widen(typed())
    onnx.checker.check_model(twin, full_check=True)
    assert [node.op_type for node in twin.graph.node] == [
        "QuantizeLinear", "DequantizeLinear", "QuantizeLinear", "DequantizeLinear", "Conv", "Mul",
    ]  # fmt: skip
    kinds = {tensor.data_type for tensor in twin.graph.initializer}
    assert TensorProto.FLOAT16 not in kinds
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in twin.graph.initializer}
    steps = np.array([0.1, 0.3], np.float16).astype(np.float32).reshape(2, 1, 1, 1)
    assert (np.round(tensors["dw_float"] / steps) == np.arange(-12, 12).reshape(2, 3, 2, 2)).all()


def test_the_twin_computes_what_the_typed_file_computes():
    onnxruntime = pytest.importorskip("onnxruntime")
    batch = np.random.default_rng(0).random((1, 3, 8, 8), np.float32)
    run = [onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"images": batch})[0]
           for model in (typed(), weak_typing.widen(typed()))]  # fmt: skip
    np.testing.assert_allclose(*run, atol=50)  # one step of the input: float16 may round to the next one


def test_only_what_the_file_types_float32_is_pinned():
    assert weak_typing.float_tensors(typed()) == {"output"}
    assert weak_typing.halved(typed())
    assert weak_typing.quantized(typed())
    assert not weak_typing.halved(weak_typing.widen(typed()))


def relued(reads, before):
    """Make `typed` with nodes before its quantization, its convolution reading a tensor, and a Relu after it."""
    model = typed()
    for position, node in enumerate(before):
        model.graph.node.insert(1 + position, node)
    names = [node.name for node in model.graph.node]
    model.graph.node[names.index("conv")].input[0] = reads
    model.graph.node.insert(names.index("conv") + 1, helper.make_node("Relu", ["conv"], ["relu"], name="relu"))
    return model


def test_what_the_file_types_float16_is_pinned():
    model = relued("half", [])  # a float16 convolution of the image
    assert weak_typing.half_tensors(model) == {"conv", "relu"}
    assert weak_typing.half_tensors(weak_typing.widen(model)) == set()


def test_convolutions_of_quantized_tensors_are_not_pinned():
    model = relued("dq", [helper.make_node("Sigmoid", ["half"], ["computed"], name="computed")])
    next(node for node in model.graph.node if node.name == "q").input[0] = "computed"
    assert weak_typing.half_tensors(model) == {"computed", "relu"}


def test_nothing_is_pinned_between_a_quantized_convolution_of_the_image_and_the_next_quantization():
    assert weak_typing.half_tensors(relued("dq", [])) == set()


def test_only_float_layers_are_pinned_where_others_need_no_pin():
    model = relued("dq", [helper.make_node("Sigmoid", ["half"], ["computed"], name="computed")])
    nodes = {node.name: node for node in model.graph.node}
    nodes["q"].input[0], nodes["out"].input[0] = "computed", "relu"
    assert weak_typing.half_tensors(model, needed=True) == {"computed", "relu"}  # which is read in float32
    after = [node.name for node in model.graph.node].index("relu") + 1
    for position, kind, names in ((0, "QuantizeLinear", ("relu", "q2")), (1, "DequantizeLinear", ("q2", "dq2"))):
        node = helper.make_node(kind, [names[0], "x_scale", "x_zero"], [names[1]], name=names[1])
        model.graph.node.insert(after + position, node)
    next(node for node in model.graph.node if node.name == "out").input[0] = "dq2"
    assert weak_typing.half_tensors(model) == {"computed", "relu"}
    assert weak_typing.half_tensors(model, needed=True) == {"computed"}


def test_a_float_convolution_of_a_rounded_tensor_is_pinned():
    model = relued("dq", [helper.make_node("Sigmoid", ["half"], ["computed"], name="computed")])
    model.graph.node[2].input[0] = "computed"
    conv = next(node for node in model.graph.node if node.name == "conv")
    model.graph.initializer.append(numpy_helper.from_array(np.ones((2, 3, 2, 2), np.float16), "float_w"))
    conv.input[1] = "float_w"
    assert "conv" in weak_typing.half_tensors(model)


def test_what_rounds_float16_is_named_weights_apart():
    assert weak_typing.rounding(typed()) == {"q", "dq"}
    assert weak_typing.rounding(weak_typing.widen(typed())) == set()


class Layer:
    """Stands in for a layer of TensorRT's network with one output."""

    def __init__(self, name, dtype="float", kind="other"):
        self.type = kind
        self.output, self.types = SimpleNamespace(name=name, dtype=dtype, is_shape_tensor=False), []
        self.num_outputs, self.precision = 1, None

    def get_output(self, _position):
        return self.output

    def set_output_type(self, _position, precision):
        self.types.append(precision)


@pytest.mark.parametrize("told", ["float16", "float32"])
def test_a_tensorrt_without_strong_types_is_told_both_float_types(monkeypatch, told):
    trt = SimpleNamespace(
        DataType=SimpleNamespace(FLOAT="float", HALF="half"), LayerType=SimpleNamespace(QUANTIZE="q", DEQUANTIZE="dq")
    )
    monkeypatch.setattr(builder, "load", lambda: trt)
    model = typed()
    model.graph.node[4].input[0] = "half"
    layers = [Layer("conv"), Layer("output"), Layer("output", "int32"), Layer("q", "int8", "q"), Layer("dq", kind="dq")]
    network = SimpleNamespace(num_layers=len(layers), get_layer=layers.__getitem__)
    options = Options(rounding=told)
    rounding = "half" if told == "float16" else None
    assert builder._pin_types(network, model, None, options) == {
        "float32": 1, "float16": 1, "rounding": 2 if rounding else 0}  # fmt: skip
    assert [layer.precision for layer in layers] == ["half", "float", None, rounding, None]
    assert [layer.types for layer in layers] == [["half"], ["float"], [], [], ["half"] if rounding else []]


def test_a_builder_that_does_not_start_says_what_tensorrt_said(monkeypatch):
    def refuse(_log):
        raise TypeError("pybind11::init(): factory function returned nullptr")

    monkeypatch.setattr(builder, "load", lambda: SimpleNamespace(Builder=refuse))
    with pytest.raises(EngineError, match="no GPU, or a driver too old"):
        builder._builder(SimpleNamespace(errors=[]))
    said = ["Internal Error (Assertion validateCaskKLibDigest(sha256sum) failed. )"]
    with pytest.raises(EngineError, match=r"builder resource is missing, damaged.*install"):
        builder._builder(SimpleNamespace(errors=said))
