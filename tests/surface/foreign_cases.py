"""Engines from elsewhere, on stand-ins made from TensorRT's real classes."""

import engines
import pytest
import tensorrt_bindings as trt

from speedmap.engines.interface import ForeignError
from speedmap.engines.tensorrt import foreign
from speedmap.engines.tensorrt.library import EngineError, logger


def shape(*sides, rows=(1, 84, 7)):
    return {"get_tensor_shape": lambda name: trt.Dims(sides if name == "images" else rows)}


def named(*names):
    return {"num_io_tensors": len(names), "get_tensor_name": names.__getitem__}


STATIC = shape(1, 3, 64, 64)


@pytest.fixture
def take(monkeypatch, tmp_path):
    """Take an engine that does as told, or what a function opens."""
    monkeypatch.setattr(foreign.library, "platform", dict)
    (tmp_path / "best.engine").write_bytes(b"ftrt")

    def with_engine(opens, imgsz=64):
        opened = opens if callable(opens) else engines.engine(**opens)
        monkeypatch.setattr(trt, "Runtime", lambda logger: engines.runtime(opened))
        return foreign.take(tmp_path / "best.engine", tmp_path / "results/engine", imgsz, classes=2)

    return with_engine


def test_an_engine_is_copied_and_says_its_shape(take, tmp_path):
    assert take(STATIC) == ("static", {})
    assert (tmp_path / "results/engine").read_bytes() == b"ftrt"
    assert take({}) == ("dynamic", {})
    assert take(STATIC | named("images", "output0")).precision is None


@pytest.mark.parametrize(
    ("engine", "message"),
    [
        (named("image", "output0"), r"has \['image', 'output0'\] instead of float32 images and output"),
        (named("images", "a", "b"), r"has \['a', 'b', 'images'\] instead of float32"),
        ({"get_tensor_dtype": trt.DataType.HALF}, r"has \['images', 'output'\] instead of float32 images and output"),
    ],
)
def test_other_inputs_and_outputs_are_refused(take, engine, message):
    with pytest.raises(EngineError, match=rf"best\.engine: {message}"):
        take(STATIC | engine)


def test_an_engine_whose_batch_alone_is_free_is_static(take):
    bounds = [trt.Dims([batch, 3, 64, 64]) for batch in (1, 1, 8)]
    engine = shape(-1, 3, 64, 64, rows=(-1, 84, 7)) | {"get_tensor_profile_shape": lambda _name, _profile: bounds}
    assert take(engine).shape == "static"


@pytest.mark.parametrize("rows", [(1, 84, 85), (1, 7, 8400), (1, 7)])
def test_an_output_that_is_not_of_the_data_sets_classes_is_refused(take, tmp_path, rows):
    with pytest.raises(ForeignError, match=r"best\.engine: its output is .* has 2 classes; give an"):
        take(shape(1, 3, 64, 64, rows=rows))
    assert not (tmp_path / "results/engine").exists()


@pytest.mark.parametrize(("engine", "imgsz"), [(STATIC, 640), (shape(8, 3, 64, 64), 64), ({}, 640)])
def test_another_size_is_refused(take, engine, imgsz):
    with pytest.raises(ForeignError, match=rf"best\.engine: takes .*, not \[1, 3, {imgsz}, {imgsz}\]; set imgsz"):
        take(engine, imgsz)


def test_what_tensorrt_says_of_another_machine_is_passed_on(take, tmp_path):
    def refuse(_plan):
        logger().log(trt.ILogger.ERROR, "The engine plan file is generated on an incompatible device")

    with pytest.raises(EngineError, match=r"best\.engine: the engine was built for another GPU"):
        take(refuse)
    assert not (tmp_path / "results").exists()


def test_a_runtime_that_does_not_start_is_an_error_with_a_remedy(take, monkeypatch):
    def refuse(_opened):
        logger().log(trt.ILogger.ERROR, "CUDA initialization failure with error: 35")
        raise TypeError("pybind11::init(): factory function returned nullptr")

    monkeypatch.setattr(engines, "runtime", refuse)
    with pytest.raises(EngineError, match="cannot start its runtime: the NVIDIA driver is older than this CUDA needs"):
        take(STATIC)
