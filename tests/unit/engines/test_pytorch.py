import pytest
import torch

from speedmap.engines import pytorch
from speedmap.machine import gpu_lease
from speedmap.reporting import roofline
from speedmap.results.cell import Cell
from speedmap.results.cell_result import CellResult
from speedmap.results.prepared import Peaks
from speedmap.timing import device_peaks


@pytest.fixture
def without_cuda(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(pytorch, "ON_GPU", True)
    monkeypatch.setattr(gpu_lease, "candidates", lambda: [{"index": 0, "uuid": "GPU-1"}])


def test_a_gpu_that_torch_cannot_use_is_told_and_not_replaced_by_the_cpu(without_cuda):
    with pytest.raises(pytorch.TorchError, match="the driver is too old for it"):
        pytorch.device()


def test_the_peaks_of_such_a_gpu_are_unknown_and_no_cell_has_a_roof(without_cuda):
    found = device_peaks.measure()
    assert (found["device"], found["operations"], found["bytes"]) == (None, {}, None)
    assert "the driver is too old for it" in found["by"]
    row = CellResult(Cell("tensorrt", "a", "fp16", "static"), {}, None, {"bytes": 1})
    assert roofline.roofline([row], {"a": 1}, Peaks(**found, runs=[]), 64).roofs == []


def test_a_torch_for_cpus_measures_the_cpu_whatever_gpu_is_there(without_cuda, monkeypatch):
    monkeypatch.setattr(pytorch, "ON_GPU", False)
    assert pytorch.device().type == "cpu"


def test_where_a_gpu_is_torch_is_timed_as_cuda_graphs_too(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert pytorch.PyTorch().alternatives() == {}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    (opened,) = pytorch.PyTorch().alternatives().values()
    assert (opened.func, opened.keywords) == (pytorch.Session, {"graphs": True})


def test_a_device_with_too_little_memory_has_no_rates_and_ends_no_job(monkeypatch):
    def full(*_arguments, **_options):
        raise torch.OutOfMemoryError("CUDA out of memory")

    for name in ("randn", "randint", "zeros"):
        monkeypatch.setattr(torch, name, full)
    found = device_peaks.measure()
    assert set(found["operations"].values()) == {None}
    assert found["bytes"] is None
