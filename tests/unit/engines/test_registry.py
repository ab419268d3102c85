from contextlib import nullcontext

import pytest

from speedmap.engines import registry
from speedmap.engines.registry import BackendError

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


def test_when_nothing_can_run_every_reason_is_told(monkeypatch):
    monkeypatch.setattr(registry, "obstacle", {"tensorrt": "the GPU is too old", "openvino": "not installed"}.get)
    with pytest.raises(BackendError, match="auto cannot run here: the GPU is too old; not installed"):
        registry.choose("auto")
    with pytest.raises(BackendError, match="openvino cannot run here: not installed"):
        registry.choose("openvino")


def test_auto_says_why_the_first_backend_is_not_taken(monkeypatch, capsys):
    monkeypatch.setattr(registry, "obstacle", {"tensorrt": "no GPU"}.get)
    assert registry.choose("auto") == "openvino"
    assert capsys.readouterr().err == "tensorrt is not used: no GPU\n"


@pytest.mark.parametrize(("backend", "installed", "refused"), [
    ("tensorrt", "2.13.0+cpu", True), ("tensorrt", "2.13.0", False), ("openvino", "2.13.0+cpu", False),
])  # fmt: skip
def test_torch_for_cpus_has_no_place_beside_tensorrt(monkeypatch, backend, installed, refused):
    monkeypatch.setattr(registry, "version", lambda name: installed)
    with pytest.raises(BackendError, match="is for CPUs only") if refused else nullcontext():
        registry.check_torch(backend)
