"""What people give for weights by mistake, each named as what it is."""

import sys
import zipfile
from types import ModuleType

import pytest
import safetensors.torch
import torch
from torch import nn

from helpers import pickled
from helpers.networks import tiny
from speedmap.model import checkpoint
from speedmap.model.checkpoint import CheckpointError


def compressed_script(path):
    with torch.no_grad():
        torch.jit.script(nn.Linear(2, 2)).save(str(path))


def ultralytics(path):
    kind = type("C2f", (nn.Module,), {"__module__": "ultralytics.nn.modules.block"})
    as_module(path, kind)


def another(path):
    as_module(path, type("Attention", (nn.Module,), {"__module__": "mine.layers"}))


def as_module(path, kind):
    """Save an object of a class whose package exists only meanwhile."""
    parts = kind.__module__.split(".")
    names = [".".join(parts[: index + 1]) for index in range(len(parts))]
    sys.modules.update({name: ModuleType(name) for name in names})
    setattr(sys.modules[kind.__module__], kind.__name__, kind)
    try:
        torch.save({"model": kind()}, path)
    finally:
        for name in names:
            del sys.modules[name]


def forward_fuse(self, x):
    return self.act(self.conv(x))


def fused(path):
    net, kind = pickled.network(), pickled.Conv
    kind.forward_fuse = forward_fuse
    for part in net.modules():
        if isinstance(part, kind):
            part.forward = part.forward_fuse
    pickled.save(path, {"model": net})
    del kind.forward_fuse


def archive(path):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("run/best.pt", b"")


def anew(tensors):
    return lambda path: torch.save(tensors, path)


NEW = {"model.22.dfl.conv.weight": torch.zeros(1, 16, 1, 1), "model.0.conv.weight": torch.zeros(8, 3, 3, 3)}
P6 = {"model.0.conv.weight": torch.zeros(8, 3, 6, 6), "model.33.anchors": torch.zeros(4, 3, 2)}
MISTAKES = {
    "best.pt": (lambda path: path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid"), "git lfs pull"),
    "page.pt": (lambda path: path.write_bytes(b"\n<!DOCTYPE html><html>"), "is an HTML page"),
    "empty.pt": (lambda path: path.touch(), "is an empty file"),
    "model.engine": (lambda path: path.write_bytes(b"ftrt" + bytes(64)), "TensorRT engines are not read"),
    "engine.pt": (lambda path: path.write_bytes(b"ftrt" + bytes(64)), "TensorRT engines are not read"),
    "described.pt": (lambda path: path.write_bytes(b'\x20\0\0\0{"stride": 32}ftrt' + bytes(9)), "TensorRT engines"),
    "model.onnx": (lambda path: path.write_bytes(b"\x08\x08"), "ONNX files are not read"),
    "onnx.pt": (lambda path: path.write_bytes(b"\x08\x08\x12\x07pytorch"), "ONNX files are not read"),
    "gz.pt": (lambda path: path.write_bytes(b"\x1f\x8b\x08" + bytes(40)), "gzip archives are not read"),
    "yolov5s.yaml": (lambda path: path.write_text("nc: 80\n"), "descriptions of networks"),
    "folder.pt": (lambda path: path.mkdir(), "is a folder"),
    "old.pt": (lambda path: torch.save({"a": torch.zeros(1)}, path, _use_new_zipfile_serialization=False),
               "was saved before PyTorch 1.6"),
    "cut.pt": (lambda path: path.write_bytes(b"PK\x03\x04" + bytes(100)), "truncated: it has no end"),
    "zip.pt": (archive, "is a zip archive, but not one of PyTorch's"),
    "script.pt": (compressed_script, "TorchScript modules are not read"),
    "yolov8n.pt": (ultralytics, "is of Ultralytics' newer package"),
    "yolov8n-tensors.pt": (anew(NEW), "this is of Ultralytics' newer package"),
    "p6.pt": (anew(P6), "this has 34 layers"),
    "mine.pt": (another, "of another program than YOLOv5"),
    "fused.pt": (fused, "holds a network that is fused"),
    "quantized.pt": (anew({"model.0.conv.weight": torch.zeros(8, 3, 6, 6, dtype=torch.int8)}),
                     "is torch.int8, torch.strided, on cpu, not plain floats; give the weights from before that"),
    "protocol3.pt": (lambda path: torch.save(NEW, path, pickle_protocol=3), "was saved with pickle protocol 3"),
    "protocol4.pt": (lambda path: torch.save(NEW, path, pickle_protocol=4), "was saved with pickle protocol 4"),
    "protocol5.pt": (lambda path: torch.save(NEW, path, pickle_protocol=5), "was saved with pickle protocol 5"),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistaken_file_is_named_as_what_it_is_and_not_called_hostile(tmp_path, name):
    make, message = MISTAKES[name]
    make(tmp_path / name)
    with pytest.raises(CheckpointError, match=message) as caught:
        checkpoint.load(tmp_path / name)
    assert str(caught.value).startswith(f"{tmp_path / name}: ")
    assert "do not trust" not in str(caught.value)


@pytest.mark.parametrize("name", ["weights.pt", "weights.safetensors"])
def test_safetensors_are_known_by_their_content(tmp_path, name):
    safetensors.torch.save_file(tiny().state_dict(), tmp_path / name, {"names": '{"10": "c", "2": "b", "0": "a"}'})
    assert checkpoint.load(tmp_path / name).names == ("a", "b", "c")


def test_class_names_need_numbers(tmp_path):
    pickled.save(tmp_path / "best.pt", {"model": pickled.network(names={"a": "x", "b": "y", "c": "z"})})
    with pytest.raises(CheckpointError, match="has a class name under 'a', which is no number"):
        checkpoint.load(tmp_path / "best.pt")
