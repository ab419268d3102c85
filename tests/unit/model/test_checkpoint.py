import collections
import os
import pickle
import sys
import zipfile

import pytest
import safetensors.torch
import torch

from helpers.networks import output, tiny
from speedmap.model import checkpoint, yolov5
from speedmap.model.checkpoint import CheckpointError


def same(path, network, names=None):
    found, image = checkpoint.load(path), torch.rand(1, 3, 64, 64)
    assert found.names == names
    assert torch.allclose(output(yolov5.build(found.tensors), image), output(network, image), atol=1e-2)


def test_a_plain_state_dict(tmp_path):
    torch.save(tiny().state_dict(), tmp_path / "plain.pt")
    same(tmp_path / "plain.pt", tiny())


def test_a_state_dict_in_half_precision_inside_a_training_file(tmp_path):
    tensors = {f"module.{name}": tensor.half() for name, tensor in tiny().state_dict().items()}
    torch.save({"epoch": 3, "model": tensors}, tmp_path / "last.pt")
    same(tmp_path / "last.pt", tiny())


def test_safetensors_with_names(tmp_path):
    safetensors.torch.save_file(tiny().state_dict(), tmp_path / "model.safetensors", {"names": '["a", "b", "c"]'})
    same(tmp_path / "model.safetensors", tiny(), ("a", "b", "c"))


def pickled_module(path, monkeypatch, network, **more):
    """Save a whole module as the official files do, under the module names of the official code."""
    for kind in {type(module) for module in network.modules()}:
        if kind.__module__ == "speedmap.model.yolov5":
            monkeypatch.setattr(kind, "__module__", "models.yolo" if kind.__name__ == "YOLOv5" else "models.common")
    fake = type("Everything", (), {name: getattr(yolov5, name) for name in dir(yolov5)})
    for module in ("models", "models.yolo", "models.common"):
        monkeypatch.setitem(sys.modules, module, fake)
    network.names = {0: "a", 1: "b", 2: "c"}
    torch.save({"model": network, "ema": None, **more}, path)
    monkeypatch.undo()


def test_a_pickled_module_is_read_without_its_code(tmp_path, monkeypatch):
    pickled_module(tmp_path / "official.pt", monkeypatch, tiny())
    same(tmp_path / "official.pt", tiny(), ("a", "b", "c"))


def test_another_activation_is_refused(tmp_path, monkeypatch):
    network = tiny()
    network.model[1].act = torch.nn.LeakyReLU(0.1)
    pickled_module(tmp_path / "leaky.pt", monkeypatch, network)
    with pytest.raises(CheckpointError, match=r"model\.1\.act is LeakyReLU; only SiLU"):
        checkpoint.load(tmp_path / "leaky.pt")


@pytest.mark.parametrize("name", ["pathlib.PosixPath", "pathlib.WindowsPath", "pathlib._local.PosixPath"])
def test_paths_of_any_system_and_python_in_a_training_file_are_only_data(tmp_path, monkeypatch, name):
    module, _, kind = name.rpartition(".")
    path = type(kind, (), {"__module__": module, "__reduce__": lambda self: (type(self), ("runs", "exp"))})
    monkeypatch.setitem(sys.modules, module, type("Module", (), {kind: path}))
    torch.save({"model": tiny().state_dict(), "opt": {"save_dir": path()}}, tmp_path / "best.pt")
    monkeypatch.undo()
    same(tmp_path / "best.pt", tiny())


class Hostile:
    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("function", [os.system, eval, exec, __import__, os.rename])
def test_code_in_a_file_is_never_run(tmp_path, function):
    marker = tmp_path / "ran"
    hostile = Hostile(function, f"open({str(marker)!r}, 'w')")
    torch.save({"model": hostile, **tiny().state_dict()}, tmp_path / "hostile.pt")
    with pytest.raises(CheckpointError, match="asks for"):
        checkpoint.load(tmp_path / "hostile.pt")
    assert not marker.exists()


def test_what_is_no_checkpoint_is_named(tmp_path):
    bad = tmp_path / "bad.pt"
    for content in (b"", b"<html>", pickle.dumps({"a": 1}), b"PK\x03\x04" + bytes(100)):
        bad.write_bytes(content)
        with pytest.raises(CheckpointError, match=r"bad\.pt"):
            checkpoint.load(bad)
    with pytest.raises(CheckpointError, match="no such weights file"):
        checkpoint.load(tmp_path / "missing.pt")


def test_onnx_files_are_not_read(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"\x08\x08")
    with pytest.raises(CheckpointError, match=r"model\.onnx: ONNX files are not read; give the \.pt .* by `onnx` in"):
        checkpoint.load(tmp_path / "model.onnx")


def test_a_truncated_file_is_refused(tmp_path):
    path = tmp_path / "cut.pt"
    torch.save(tiny().state_dict(), path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(CheckpointError, match=r"cut\.pt"):
        checkpoint.load(path)


def test_compressed_members_are_refused(tmp_path):
    path, bomb = tmp_path / "plain.pt", tmp_path / "bomb.pt"
    torch.save(tiny().state_dict(), path)
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            target.writestr(name, source.read(name))
    with pytest.raises(CheckpointError, match="compressed members"):
        checkpoint.load(bomb)


def test_other_networks_are_refused(tmp_path):
    torch.save(torch.nn.Linear(2, 2).state_dict(), tmp_path / "linear.pt")
    with pytest.raises(CheckpointError, match="no YOLOv5"):
        checkpoint.load(tmp_path / "linear.pt")
    torch.save(collections.OrderedDict(), tmp_path / "none.pt")
    with pytest.raises(CheckpointError, match="holds no network"):
        checkpoint.load(tmp_path / "none.pt")
