"""What is asked of a machine before TensorRT starts, over its real Python part."""

import re
from types import SimpleNamespace

import pytest
import tensorrt_bindings as trt

from speedmap.engines.tensorrt import library
from speedmap.engines.tensorrt.backend import TensorRT
from speedmap.engines.tensorrt.library import EngineError
from speedmap.machine.nvml import Identity
from speedmap.results.cell import Cell

CELL = Cell("tensorrt", "m", "fp16", "static")


@pytest.fixture
def gpu(monkeypatch):
    here = Identity("Fake GPU", "9.0", "550.54", "12.4")
    monkeypatch.setattr(library, "Gpu", lambda: SimpleNamespace(identity=lambda: here))


@pytest.mark.parametrize(
    "start",
    [
        lambda engine: TensorRT().build(engine, engine, (64, 64), 64, False, {}),
        lambda engine: TensorRT().take(engine, engine, 64, 3),
        lambda engine: TensorRT().audit(engine, engine, 64),
        lambda engine: TensorRT().session(engine, CELL).__enter__(),
    ],
    ids=["build", "take", "audit", "session"],
)
def test_a_driver_that_is_too_old_is_refused_before_tensorrt_starts(monkeypatch, tmp_path, gpu, start):
    """As TensorRT 10 and 11 crash then."""
    monkeypatch.setattr(library, "cuda_of_wheels", lambda: 13)
    for name in ("Runtime", "Builder"):
        monkeypatch.delattr(trt, name)
    with pytest.raises(EngineError, match=r"driver 550\.54 runs CUDA 12\.4, .* needs CUDA 13; update the driver"):
        start(tmp_path / "engine")
    assert "update the driver" in library.usable()


def test_two_tensorrts_are_named(monkeypatch, gpu):
    major_minor = ".".join(trt.__version__.split(".")[:2])
    monkeypatch.setattr(trt, "__version__", "9.3.0")
    words = rf"Python part is 9\.3\.0, but /\S*libnvinfer\.so\S* is {major_minor}; keep one of them"
    assert re.search(words, library.usable())
