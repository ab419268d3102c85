import sys
from contextlib import nullcontext

import pytest

from speedmap.engines import registry
from speedmap.engines.interface import Backend
from speedmap.engines.registry import BackendError
from speedmap.machine import environment

H100 = {"tensorrt": "10.13.3", "gpu": "NVIDIA H100", "compute_capability": "9.0", "driver": "570.1"}


def test_a_given_platform_is_planned_for_without_looking_at_this_machine():
    assert registry.planned("tensorrt", H100) == ("tensorrt", H100)


def test_without_one_it_is_this_machines():
    assert registry.planned("null", None) == ("null", {"device": "null"})


@pytest.mark.parametrize("key", ["gpu", "compute_capability", "tensorrt"])
def test_an_engine_is_not_built_on_another_platform_than_planned(key):
    with pytest.raises(BackendError, match=f"planned for {key} {H100[key]}, but this node has other"):
        registry.demand(H100, {**H100, key: "other"})


def test_another_driver_builds_the_same():
    registry.demand(H100, {**H100, "driver": "580.0"})


def test_what_the_plan_did_not_know_is_not_demanded():
    registry.demand({"tensorrt": None, "gpu": H100["gpu"]}, H100)


def test_when_nothing_can_run_every_reason_is_told(monkeypatch):
    monkeypatch.setattr(registry, "obstacle", {"tensorrt": "the GPU is too old", "openvino": "not installed"}.get)
    assert registry.planned("auto", None)[0] == "openvino"
    with pytest.raises(BackendError, match="auto cannot run here: the GPU is too old; not installed"):
        registry.check_usable("auto", "openvino")
    with pytest.raises(BackendError, match="openvino cannot run here: not installed"):
        registry.check_usable("openvino", "openvino")


def test_auto_says_why_the_first_backend_is_not_taken(monkeypatch):
    monkeypatch.setattr(registry, "obstacle", {"tensorrt": "no GPU"}.get)
    assert registry.planned("auto", None)[0] == "openvino"
    assert registry.check_usable("auto", "openvino") == ["tensorrt is not used: no GPU"]


@pytest.mark.parametrize("name", registry.CLASSES)
def test_every_backend_is_a_class_with_all_members(name):
    backend = registry.backend(name)
    assert isinstance(backend, Backend)
    assert isinstance(backend.on_gpu, bool)


@pytest.mark.parametrize("name", ["openvino", "null"])
def test_a_plan_knows_the_platform_that_the_backend_itself_tells(name):
    assert registry.platform(name) == registry.backend(name).platform()


def test_a_backend_whose_package_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.delitem(sys.modules, "speedmap.engines.openvino", raising=False)
    with pytest.raises(BackendError, match="openvino needs the package openvino, which is not installed; see envs/"):
        registry.backend("openvino")


@pytest.mark.parametrize(("backend", "installed", "refused"), [
    ("tensorrt", "2.13.0+cpu", True), ("tensorrt", "2.13.0", False), ("openvino", "2.13.0+cpu", False),
])  # fmt: skip
def test_torch_for_cpus_has_no_place_beside_tensorrt(monkeypatch, backend, installed, refused):
    monkeypatch.setattr(environment, "version", lambda name: installed)
    with pytest.raises(BackendError, match="is for CPUs only") if refused else nullcontext():
        registry.check_torch(backend)
