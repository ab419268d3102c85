import json
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from helpers.record_factory import dataset, write
from speedmap.dataset import images
from speedmap.dataset.images import ImageError
from speedmap.engines.tensorrt import builder as trt_builder
from speedmap.engines.tensorrt import entropy_calibration
from speedmap.engines.tensorrt.builder_config import Options
from speedmap.engines.tensorrt.entropy_calibration import Feed
from speedmap.engines.tensorrt.library import EngineError
from speedmap.run import config as settings
from speedmap.run.config import ConfigError

HERE = {"gpu": "Fake GPU", "compute_capability": "9.0", "tensorrt": "8.6.1"}
SIDE = 64


class Memory:
    """Stands in for speedmap.cuda.Stream: GPU memory is a dictionary from addresses to arrays."""

    def __init__(self):
        self.calls, self.memory = [], {}

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self.calls.append("closed")

    def device(self, size):
        self.memory[4096] = size
        return 4096

    def pinned(self, count):
        return np.zeros(count, np.float32)

    def to_device(self, address, host):
        self.calls.append("copy")
        self.memory[address] = host.copy()

    def synchronize(self):
        self.calls.append("synchronize")


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for index in range(3):
        cv2.imwrite(str(folder / f"{index}.png"), np.full((48, 64, 3), 40 * (index + 1), np.uint8))
    return sorted(folder.iterdir())


@pytest.fixture
def feed(photos, tmp_path):
    return Feed(Memory(), photos, SIDE, tmp_path / "resources" / "ranges.cache")


class Base:
    """Stands in for trt.IInt8EntropyCalibrator2."""

    def __init__(self):
        self.initialised = True


@pytest.fixture
def trt(monkeypatch):
    module = SimpleNamespace(IInt8EntropyCalibrator2=Base, __version__="8.6.1")
    monkeypatch.setattr(entropy_calibration, "load", lambda: module)
    return module


def calibrate(calibrator):
    """Ask a calibrator what TensorRT asks, in its order; gives what each batch held at the address it named."""
    assert calibrator.get_batch_size() == 1
    if calibrator.read_calibration_cache() is not None:
        return None
    batches = 0
    while pointers := calibrator.get_batch(["images"]):
        assert pointers == [4096]
        batches += 1
    calibrator.write_calibration_cache(memoryview(b"ranges"))
    return batches


def test_every_image_is_copied_once_to_the_same_address_and_the_end_is_none(feed, photos, trt):
    seen = []
    while pointers := feed.batch(["images"]):
        seen.append(feed.stream.memory[pointers[0]].copy())
    expected = [images.load(path, SIDE, dynamic=False)[0].reshape(-1) for path in photos]
    np.testing.assert_array_equal(seen, expected)
    assert feed.stream.calls == ["copy", "synchronize"] * 3
    assert feed.batch(["images"]) is None


def test_tensorrt_gets_a_calibrator_of_its_own_class_and_the_ranges_are_kept(feed, trt):
    made = entropy_calibration.calibrator(feed)
    assert isinstance(made, Base)
    assert made.initialised
    assert calibrate(made) == 3
    feed.check(built=True)
    assert feed.cache.read_bytes() == b"ranges"
    assert [path.name for path in feed.cache.parent.iterdir()] == ["ranges.cache"]
    assert feed.facts()["cached"] is False


def test_kept_ranges_are_used_again_without_an_image(feed, photos, trt):
    calibrate(entropy_calibration.calibrator(feed))
    again = Feed(Memory(), photos, SIDE, feed.cache)
    made = entropy_calibration.calibrator(again)
    assert made.read_calibration_cache() == b"ranges"
    again.check(built=True)
    assert again.stream.calls == []
    assert again.facts()["cached"] is True


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

    calls = [feed.batch(["images"]) for _ in range(3)]
    assert len(calls) == 3
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


def test_a_tensorrt_without_calibrators_says_what_to_use(feed, trt):
    del trt.IInt8EntropyCalibrator2
    trt.__version__ = "11.4.0"
    with pytest.raises(EngineError, match=r"TensorRT 11\.4\.0 has no implicit.*method: explicit"):
        entropy_calibration.calibrator(feed)


@pytest.mark.parametrize(
    ("platform", "words"),
    [
        ({"tensorrt": "11.4.0"}, r"implicit is gone: TensorRT 11 .*11\.4\.0.*use explicit"),
        ({"openvino": "2026.4.1"}, r"implicit is gone: only TensorRT 8\.6 and 10.*use explicit"),
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


def plain():
    """Make a float32 detector of two heads, a sum of their decoded outputs, and a constant grid."""
    tensors = [
        numpy_helper.from_array(np.ones((3, 3, 1, 1), np.float32), "w"),
        numpy_helper.from_array(np.float32(2), "two"),
    ]
    nodes = [
        helper.make_node("Conv", ["images", "w"], ["stem"], name="stem"),
        helper.make_node("Sigmoid", ["stem"], ["active"], name="active"),
        helper.make_node("Conv", ["active", "w"], ["small"], name="small"),
        helper.make_node("Conv", ["active", "w"], ["large"], name="large"),
        helper.make_node("Mul", ["two", "two"], ["grid"], name="grid"),
        helper.make_node("Cast", ["grid"], ["cast"], name="cast", to=TensorProto.FLOAT),
        helper.make_node("Mul", ["small", "cast"], ["scaled"], name="scale"),
        helper.make_node("Add", ["scaled", "large"], ["output"], name="sum"),
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, None, None]) for name in ("images", "output")]
    graph = helper.make_graph(nodes, "plain", ends[:1], ends[1:], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def test_what_decodes_the_last_convolutions_stays_float32():
    assert entropy_calibration.decoding(plain()) == {"grid", "scaled", "output"}


def test_nothing_is_opened_for_a_typed_graph(tmp_path):
    with entropy_calibration.feeding(tmp_path / "a.onnx", SIDE, None, HERE) as feed:
        assert feed is None
    assert entropy_calibration.flags(None) == {}
    entropy_calibration.set_shape(None, None, None)


class Profile:
    def set_shape(self, *shapes):
        self.shapes = shapes


@pytest.mark.parametrize("takes", [True, False])
def test_calibration_runs_at_the_shape_of_its_batches(feed, takes):
    profiles = []

    def take(profile):
        profiles.append(profile)
        return takes

    builder, config = SimpleNamespace(create_optimization_profile=Profile), SimpleNamespace()
    config.set_calibration_profile = take
    if takes:
        entropy_calibration.set_shape(builder, config, feed)
    else:
        with pytest.raises(EngineError, match="refuses to calibrate"):
            entropy_calibration.set_shape(builder, config, feed)
    assert profiles[0].shapes == ("images", *[(1, 3, SIDE, SIDE)] * 3)


def test_a_build_opens_the_feed_from_the_inventory_and_closes_it(monkeypatch, tmp_path, photos):
    monkeypatch.chdir(tmp_path)
    memory, given = Memory(), {}
    write(tmp_path / "dataset.json", dataset(calibration=photos))
    onnx = tmp_path / "model.onnx"
    onnx.write_bytes(plain().SerializeToString())

    def serialize(path, shapes, options, cache, feed):
        given.update(cache=cache, files=feed.files, ranges=feed.cache, calls=list(memory.calls))
        return b"plan", {"calibration": feed.facts()}

    monkeypatch.setattr(trt_builder, "platform", lambda: HERE)
    monkeypatch.setattr(trt_builder, "serialize", serialize)
    monkeypatch.setattr(entropy_calibration, "Stream", lambda: memory)
    options = {"implicit": {"dataset": str(tmp_path / "dataset.json"), "images": 2}}
    facts = trt_builder.build(onnx, tmp_path / "engine", (32, 64), SIDE, True, options)
    assert given["cache"] == Path("resources/timing-fake-gpu-8.6.1.cache")
    assert given["files"] == photos[:2]
    assert given["ranges"] == entropy_calibration.cache_of(onnx, photos[:2], SIDE, HERE)
    assert given["calls"] == []
    assert memory.calls == ["closed"]
    assert json.loads(json.dumps(facts))["calibration"]["images"] == 2


class Network:
    num_layers = 0

    def __iter__(self):
        return iter(())


@pytest.mark.parametrize("flags", [{"EXPLICIT_BATCH": 0}, {"EXPLICIT_BATCH": 0, "STRONGLY_TYPED": 1}])
def test_a_graph_to_calibrate_is_built_weakly_typed_with_flags_and_calibrator(monkeypatch, tmp_path, trt, feed, flags):
    """As in TensorRT 8.6 and in 10, whose strongly typed networks take no calibrator."""
    path, seen = tmp_path / "model.onnx", {}
    path.write_bytes(plain().SerializeToString())

    class Builder(SimpleNamespace):
        def create_network(self, bits):
            seen["bits"] = bits
            return Network()

        def build_serialized_network(self, network, config):
            seen["batches"] = calibrate(seen["calibrator"])
            return b"plan"

    def configure(builder, network, shapes, options, arguments):
        seen.update(arguments)
        return SimpleNamespace(builder_optimization_level=0, set_calibration_profile=lambda profile: True)

    trt.Builder = lambda log: Builder(create_optimization_profile=Profile)
    trt.OnnxParser = lambda network, log: SimpleNamespace(parse=lambda text: True)
    trt.NetworkDefinitionCreationFlag = SimpleNamespace(__members__=flags)
    trt.DataType = SimpleNamespace(FLOAT="float", HALF="half")
    monkeypatch.setattr(trt_builder, "load", lambda: trt)
    monkeypatch.setattr(trt_builder, "logger", lambda: SimpleNamespace(errors=[], peak={}))
    monkeypatch.setattr(trt_builder, "configure", configure)
    monkeypatch.setattr(trt_builder, "flags_for", lambda model, pinned: {"fp16": False, "int8": False, "kept": 1})
    plan, facts = trt_builder.serialize(path, ((1, 3, SIDE, SIDE),) * 3, Options(), None, feed)
    assert plan == b"plan"
    assert seen["bits"] == 1
    assert (seen["fp16"], seen["int8"], seen["kept"], seen["batches"]) == (True, True, 1, 3)
    assert facts["types"] == "weak"
    assert facts["calibration"]["images"] == 3
