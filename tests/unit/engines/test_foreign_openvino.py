"""OpenVINO models that were not built here: small ones of the right ends, and what else people may have."""

import numpy as np
import openvino
import openvino.opset13 as ops
import pytest

from speedmap.engines import foreign_openvino
from speedmap.engines.interface import ForeignError
from speedmap.engines.null import Null
from speedmap.engines.openvino import OpenVINO
from speedmap.results.cell import Cell

CLASSES = 3


def write(path, shape=(1, 3, 64, 64), rows=8, kind=np.float32, more=False):
    """Save a model that has the input and the output of a detector, one convolution between them."""
    image = ops.parameter(shape, kind, "image")
    pixels = ops.convert(image, "f32")
    found = ops.convolution(
        pixels, ops.constant(np.full((rows, 3, 8, 8), 0.01, np.float32)), [8, 8], [0, 0], [0, 0], [1, 1]
    )
    batch = shape[0] if shape[0] > 0 else 1
    boxes = ops.transpose(
        ops.reshape(found, np.array([batch, rows, -1], np.int64), False), np.array([0, 2, 1], np.int64)
    )
    outputs = [boxes, found] if more else [boxes]
    openvino.save_model(openvino.Model(outputs, [image]), path, compress_to_fp16=True)
    return path


@pytest.mark.parametrize(("shape", "expected"), [((1, 3, 64, 64), "static"), ((1, 3, -1, -1), "dynamic")])
def test_a_detector_is_compiled_into_an_engine_that_runs(tmp_path, shape, expected):
    taken = OpenVINO().take(write(tmp_path / "theirs.xml", shape), tmp_path / "engine", 64, CLASSES)
    assert taken.shape == expected
    assert sum(taken.shares.values()) == pytest.approx(1)
    assert taken.precision in taken.shares
    image = np.ones((1, 3, 64, 64), np.float32)
    with OpenVINO().session(tmp_path / "engine", Cell("openvino", "theirs", "fp16", expected)) as session:
        session.load(image)
        session.run()
        assert session.fetch().shape == (1, 64, 8)
        assert np.allclose(session.fetch(), 0.01 * 3 * 64, rtol=0.02)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"more": True}, r"has f32 \[1,3,64,64\], f32 \[1,64,8\], f32 \[1,8,8,8\], where float32 images .* are known"),
        ({"kind": np.uint8}, r"has u8 \[1,3,64,64\]"),
        ({"shape": (8, 3, 64, 64)}, r"takes \[8,3,64,64\], not \[1, 3, 64, 64\]; set imgsz"),
        ({"shape": (1, 3, 128, 128)}, r"takes \[1,3,128,128\], not \[1, 3, 64, 64\]; set imgsz"),
        ({"rows": 85}, r"its output is \[1,64,85\], but the data set has 3 classes"),
    ],
    ids=["two outputs", "uint8", "batch", "size", "classes"],
)
def test_another_model_is_refused_by_its_ends(tmp_path, options, message):
    with pytest.raises(ForeignError, match=rf"theirs\.xml: {message}") as caught:
        foreign_openvino.read(write(tmp_path / "theirs.xml", **options), 64, CLASSES)
    assert "\n" not in str(caught.value)


def test_a_model_without_its_weights(tmp_path):
    path = write(tmp_path / "theirs.xml")
    path.with_suffix(".bin").unlink()
    with pytest.raises(ForeignError, match=r"theirs\.bin: is not there, but has the weights of"):
        foreign_openvino.read(path, 64, CLASSES)


@pytest.mark.parametrize("size", [0, 20])
def test_weights_that_were_cut_off(tmp_path, size):
    path = write(tmp_path / "theirs.xml")
    path.with_suffix(".bin").write_bytes(path.with_suffix(".bin").read_bytes()[:size])
    with pytest.raises(ForeignError, match=r"theirs\.xml: no OpenVINO model, or damaged"):
        foreign_openvino.read(path, 64, CLASSES)


@pytest.mark.parametrize(
    "content", ["", "<html></html>", "<net", "<?xml version='1.0'?><net name='x' version='99'></net>"]
)
def test_a_file_that_is_no_model(tmp_path, content):
    path = write(tmp_path / "theirs.xml")
    path.write_text(content)
    with pytest.raises(ForeignError, match=r"theirs\.xml: no OpenVINO model, or damaged") as caught:
        foreign_openvino.read(path, 64, CLASSES)
    assert "\n" not in str(caught.value)


def test_an_engine_of_another_kind_and_a_backend_that_takes_none(tmp_path):
    with pytest.raises(ForeignError, match=r"best\.engine: is no \.xml, which OpenVINO's models are"):
        foreign_openvino.read(tmp_path / "best.engine", 64, CLASSES)
    with pytest.raises(ForeignError, match="are measured by TensorRT and OpenVINO; choose another backend"):
        Null().take(tmp_path / "best.engine", tmp_path / "engine", 64, CLASSES)
