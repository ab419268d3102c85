import pytest
import torch

from speedmap import gpus, peaks, torch_engine


@pytest.fixture
def without_cuda(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch_engine, "ON_GPU", True)
    monkeypatch.setattr(gpus, "candidates", lambda: [{"index": 0, "uuid": "GPU-1"}])


@pytest.mark.parametrize("used", [torch_engine.device, peaks.measure])
def test_a_gpu_that_torch_cannot_use_is_told_and_not_replaced_by_the_cpu(without_cuda, used):
    with pytest.raises(torch_engine.TorchError, match="the driver is too old for it"):
        used()


def test_a_torch_for_cpus_measures_the_cpu_whatever_gpu_is_there(without_cuda, monkeypatch):
    monkeypatch.setattr(torch_engine, "ON_GPU", False)
    assert torch_engine.device().type == "cpu"
