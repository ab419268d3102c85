"""TensorRT engines from elsewhere, as far as fakes of TensorRT can tell."""

from contextlib import nullcontext
from types import SimpleNamespace

import pytest

from speedmap.engines.interface import ForeignError
from speedmap.engines.tensorrt import engine_file, foreign
from speedmap.engines.tensorrt.library import EngineError


class Engine:
    def __init__(self, names=("images", "output0"), shape=(1, 3, 64, 64), kind="float"):
        self.names, self.shape, self.kind, self.num_io_tensors = names, shape, kind, len(names)

    def get_tensor_name(self, index):
        return self.names[index]

    def get_tensor_dtype(self, name):
        return self.kind

    def get_tensor_shape(self, name):
        return self.shape

    def get_tensor_profile_shape(self, name, profile):
        return [(1, 3, 32, 32), (1, 3, 64, 64), (1, 3, 128, 128)]


@pytest.fixture
def take(monkeypatch, tmp_path):
    """Take an engine that a fake of TensorRT opens."""
    monkeypatch.setattr(foreign, "Stream", nullcontext)
    monkeypatch.setattr(foreign.library, "platform", dict)
    monkeypatch.setattr(engine_file, "load", lambda: SimpleNamespace(DataType=SimpleNamespace(FLOAT="float")))
    (tmp_path / "best.engine").write_bytes(b"ftrt")

    def with_engine(engine, imgsz=64):
        monkeypatch.setattr(foreign, "deserialize", lambda path, here: (object(), engine))
        return foreign.take(tmp_path / "best.engine", tmp_path / "results/engine", imgsz)

    return with_engine


def test_an_engine_is_copied_and_says_its_shape(take, tmp_path):
    assert take(Engine()) == ("static", {})
    assert (tmp_path / "results/engine").read_bytes() == b"ftrt"
    assert take(Engine(shape=(1, 3, -1, -1)), imgsz=128) == ("dynamic", {})
    assert take(Engine()).precision is None


@pytest.mark.parametrize(
    ("engine", "message"),
    [
        (Engine(names=("image", "output0")), r"has \['image', 'output0'\] instead of float32 images and output"),
        (Engine(names=("images", "a", "b")), r"has \['a', 'b', 'images'\] instead of float32"),
        (Engine(kind="half"), r"has \['images', 'output0'\] instead of float32 images and output"),
    ],
)
def test_other_inputs_and_outputs_are_refused(take, engine, message):
    with pytest.raises(EngineError, match=rf"best\.engine: {message}"):
        take(engine)


@pytest.mark.parametrize(
    ("engine", "imgsz"), [(Engine(), 640), (Engine(shape=(8, 3, 64, 64)), 64), (Engine(shape=(1, 3, -1, -1)), 640)]
)
def test_another_size_is_refused(take, engine, imgsz):
    with pytest.raises(ForeignError, match=rf"best\.engine: takes .*, not \[1, 3, {imgsz}, {imgsz}\]; set imgsz"):
        take(engine, imgsz)


def test_what_tensorrt_says_of_another_machine_is_passed_on(take, monkeypatch, tmp_path):
    def refuse(path, here):
        raise EngineError(f"{path}: built for another GPU")

    take(Engine())
    monkeypatch.setattr(foreign, "deserialize", refuse)
    with pytest.raises(EngineError, match=r"best\.engine: built for another GPU"):
        foreign.take(tmp_path / "best.engine", tmp_path / "engine", 64)
    assert not (tmp_path / "engine").exists()
