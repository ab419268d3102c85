"""Calibration by TensorRT itself, on stand-ins made from its real classes."""

import json
from pathlib import Path

import builders
import cv2
import numpy as np
import pytest
import tensorrt_bindings as trt
from stand_ins import StandIn

from helpers.cuda_driver import Driver, balanced
from helpers.record_factory import dataset, write
from helpers.untyped import plain
from speedmap.engines.tensorrt import builder as trt_builder
from speedmap.engines.tensorrt import entropy_calibration
from speedmap.engines.tensorrt.cuda import Stream
from speedmap.engines.tensorrt.library import EngineError

HERE = {"gpu": "Fake GPU", "compute_capability": "9.0", "tensorrt": trt.__version__}
SIDE = 64
PHOTOS = [Path(f"{index}.png") for index in range(3)]
GONE = trt.__version__.startswith("11.")
calibrates = pytest.mark.skipif(GONE, reason="it has no calibrators")


def calibrate(calibrator):
    """Ask a calibrator what TensorRT asks, in its order; returns how many batches it gave, None with known ranges."""
    assert calibrator.get_batch_size() == 1
    assert calibrator.get_algorithm() == trt.CalibrationAlgoType.ENTROPY_CALIBRATION_2
    if calibrator.read_calibration_cache() is not None:
        return None
    batches = 0
    while pointers := calibrator.get_batch(["images"]):
        assert list(map(type, pointers)) == [int]
        batches += 1
    calibrator.write_calibration_cache(memoryview(b"ranges"))
    return batches


class Built:
    """A builder that calibrates on what its configuration names, and what it was told."""

    def __init__(self, takes=True):
        self.flags, self.told, self.shapes, self.batches, self.takes = [], [], [], [], takes

    def builder(self, logger):
        def create_network(flags):
            self.told.append(flags)
            return builders.network()

        def build(_network, config):
            self.batches.append(calibrate(config.int8_calibrator))
            return builders.buffer("plan")

        return builders.builder(
            logger, self._config, create_network=create_network, build_serialized_network=build,
            create_optimization_profile=lambda: StandIn(
                trt.IOptimizationProfile, set_shape=lambda *shapes: self.shapes.append(shapes)
            ),
        )  # fmt: skip

    def _config(self):
        return builders.config(set_flag=self.flags.append, set_calibration_profile=self.takes)


@pytest.fixture
def build(monkeypatch, tmp_path):
    """Build a float32 graph by a builder that calibrates on two of three images."""
    monkeypatch.chdir(tmp_path)
    for index in range(3):
        cv2.imwrite(f"{index}.png", np.full((48, 64, 3), 40 * (index + 1), np.uint8))
    write(tmp_path / "images.json", dataset(calibration=PHOTOS).image_set())
    onnx = tmp_path / "model.onnx"
    onnx.write_bytes(plain().SerializeToString())
    driver = Driver()
    monkeypatch.setattr(trt_builder, "platform", lambda: HERE)
    monkeypatch.setattr(entropy_calibration, "Stream", lambda: Stream(driver))
    monkeypatch.setattr(trt, "OnnxParser", builders.parser)

    def by(builder):
        monkeypatch.setattr(trt, "Builder", builder)
        options = {"implicit": {"image_set": str(tmp_path / "images.json"), "images": 2}}
        try:
            return trt_builder.build(onnx, tmp_path / "engine", (32, 64), SIDE, True, options)
        finally:
            assert driver.calls.count("cuStreamCreate")
            assert balanced(driver.calls)

    return by


@calibrates
def test_a_graph_to_calibrate_is_built_weakly_typed_at_the_shape_of_its_batches(build):
    """As in TensorRT 8.6 and in 10, whose strongly typed networks take no calibrator."""
    made, flags = Built(), trt.BuilderFlag
    facts = [build(made.builder) for _ in range(2)]
    assert made.batches == [2, None]
    assert [one["calibration"]["cached"] for one in facts] == [False, True]
    assert made.told == [1 << int(trt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH)] * 2
    assert {flags.FP16, flags.INT8} <= set(made.flags)
    assert made.shapes[-1] == ("images", *[(1, 3, SIDE, SIDE)] * 3)
    assert facts[0]["types"] == "weak"
    ranges = entropy_calibration.cache_of(Path("model.onnx"), PHOTOS[:2], SIDE, HERE)
    assert Path(facts[0]["calibration"]["cache"]) == ranges
    assert ranges.read_bytes() == b"ranges"
    assert Path(f"resources/timing-fake-gpu-{trt.__version__}.cache").is_file()
    assert json.loads(json.dumps(facts))[0]["calibration"]["images"] == 2


@calibrates
def test_a_shape_that_tensorrt_refuses_to_calibrate_at_is_an_error(build):
    with pytest.raises(EngineError, match="refuses to calibrate"):
        build(Built(takes=False).builder)


@pytest.mark.skipif(not GONE, reason="it has calibrators")
def test_a_tensorrt_without_calibrators_says_what_to_use(build):
    with pytest.raises(EngineError, match=rf"TensorRT {trt.__version__} has no implicit.*method: explicit"):
        build(Built().builder)
