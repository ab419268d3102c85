import ctypes
from pathlib import Path

import cv2
import numpy as np
import pytest

from helpers.cuda_driver import Driver
from helpers.untyped import plain
from speedmap.dataset import images
from speedmap.dataset.images import ImageError
from speedmap.engines.tensorrt import entropy_calibration
from speedmap.engines.tensorrt.cuda import Stream
from speedmap.engines.tensorrt.entropy_calibration import Feed
from speedmap.engines.tensorrt.library import EngineError
from speedmap.run import config as settings
from speedmap.run.config import ConfigError

HERE = {"gpu": "Fake GPU", "compute_capability": "9.0", "tensorrt": "8.6.1"}
SIDE = 64


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for index in range(3):
        cv2.imwrite(str(folder / f"{index}.png"), np.full((48, 64, 3), 40 * (index + 1), np.uint8))
    return sorted(folder.iterdir())


@pytest.fixture
def feed(photos, tmp_path):
    with Stream(Driver()) as stream:
        yield Feed(stream, photos, SIDE, tmp_path / "resources" / "ranges.cache")


def test_every_image_is_copied_once_to_the_same_address_and_the_end_is_none(feed, photos):
    seen, start = [], len(feed.stream.driver.calls)
    while pointers := feed.batch(["images"]):
        assert pointers == [feed.address]
        seen.append(list((ctypes.c_float * feed.host.size).from_address(feed.address)))
    expected = [images.load(path, SIDE, dynamic=False)[0].reshape(-1) for path in photos]
    np.testing.assert_array_equal(seen, expected)
    assert feed.stream.driver.calls[start:] == ["cuMemcpyHtoDAsync", "cuStreamSynchronize"] * 3
    assert feed.batch(["images"]) is None


def test_ranges_from_a_part_of_the_images_are_not_kept_and_are_an_error(feed):
    feed.batch(["images"])
    feed.write(b"ranges")
    assert not feed.cache.exists()
    feed.check(built=False)  # why there is no engine, TensorRT itself says
    with pytest.raises(EngineError, match="calibrated on 1 of 3 images"):
        feed.check(built=True)


def test_an_error_in_a_callback_ends_the_calibration_and_is_raised_after_the_build(feed, photos):
    photos[1].write_bytes(b"no image")
    assert feed.batch(["images"])
    assert feed.batch(["images"]) is None
    feed.write(b"ranges")
    assert not feed.cache.exists()
    with pytest.raises(ImageError, match=r"1\.png: no readable image"):
        feed.check(built=True)


def test_a_network_with_another_input_is_refused(feed):
    assert feed.batch(["images", "more"]) is None
    with pytest.raises(EngineError, match="export it again"):
        feed.check(built=False)


def test_an_interrupted_write_leaves_no_cache(feed, monkeypatch):
    def full(*_args):
        raise OSError("no space left on device")

    assert all(feed.batch(["images"]) for _ in range(3))
    monkeypatch.setattr(Path, "write_bytes", full)
    feed.write(b"ranges")
    assert list(feed.cache.parent.iterdir()) == []
    with pytest.raises(OSError, match="no space"):
        feed.check(built=True)


def test_the_cache_is_named_after_all_that_its_content_depends_on(photos, tmp_path, monkeypatch):
    onnx = tmp_path / "a.onnx"
    onnx.write_bytes(plain().SerializeToString())

    def name(files=photos, imgsz=SIDE, **here):
        return entropy_calibration.cache_of(onnx, files, imgsz, HERE | here)

    first = name()
    assert first.parent.name == "resources"
    assert first == name(driver="another")
    names = [first, name(photos[:2]), name(photos[::-1]), name(imgsz=96), name(tensorrt="10.0"), name(gpu="other")]
    photos[0].write_bytes(photos[0].read_bytes() + b"\0")
    names.append(name())
    onnx.write_bytes(b"another graph")
    names.append(name())
    monkeypatch.setattr(cv2, "__version__", "0")
    names.append(name())
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("platform", "words"),
    [
        ({"tensorrt": "11.4.0"}, r"implicit cannot be: TensorRT 11 .*11\.4\.0.*use explicit"),
        ({"openvino": "2026.4.1"}, r"implicit cannot be: only TensorRT 8\.6 and 10.*use explicit"),
    ],
)
def test_implicit_is_refused_before_anything_runs_where_it_is_gone(platform, words):
    backend = next(iter(platform))
    settings.check_method("explicit", backend, platform)
    with pytest.raises(ConfigError, match=words):
        settings.check_method("implicit", backend, platform)


@pytest.mark.parametrize("version", ["8.6.1", "10.16.1.11"])
def test_implicit_is_taken_where_tensorrt_still_calibrates(version):
    settings.check_method("implicit", "tensorrt", {"tensorrt": version})


def test_what_decodes_the_last_convolutions_stays_float32():
    assert entropy_calibration.decoding(plain()) == {"grid", "scaled", "output"}


def test_nothing_is_opened_for_a_typed_graph(tmp_path):
    with entropy_calibration.feeding(tmp_path / "a.onnx", SIDE, None, HERE) as feed:
        assert feed is None
    assert entropy_calibration.flags(None) == {}
    entropy_calibration.set_shape(None, None, None)
