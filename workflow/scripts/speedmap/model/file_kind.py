"""What a file is that was given for weights, told before anything of it is read as such."""

import zipfile
from pathlib import Path

from speedmap import storage
from speedmap.errors import UserError

ORIGIN = "give the .pt or .safetensors file that it came from"
STATE_DICT = "load it where it was made and save its tensors: torch.save(model.state_dict(), 'weights.pt')"
SUFFIXES = {
    ".onnx": "ONNX files", ".engine": "TensorRT engines", ".plan": "TensorRT engines", ".trt": "TensorRT engines",
    ".xml": "OpenVINO models", ".bin": "OpenVINO models", ".tflite": "TensorFlow Lite models",
    ".pb": "TensorFlow models", ".mlmodel": "Core ML models", ".torchscript": "TorchScript modules",
    ".weights": "Darknet weights", ".yaml": "descriptions of networks, which hold no weights,",
}  # fmt: skip
BEGINNINGS = {
    b"ftrt": "TensorRT engines", b"ptrt": "TensorRT engines", b"\x1f\x8b": "gzip archives",
    b"7z\xbc\xaf": "7z archives", b"Rar!": "RAR archives", b"\x89HDF": "Keras files",
}  # fmt: skip
BEFORE_1_6 = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # torch's magic number, pickled
TORCHSCRIPT = ("constants.pkl", "code/")  # what torch.jit.save writes beside data.pkl


class CheckpointError(UserError):
    """A file that is no usable YOLOv5 checkpoint; the message names the file, the cause and the remedy."""


def check(path: Path) -> None:
    """Raise CheckpointError for whatever is neither a PyTorch archive nor a safetensors file, and name what it is."""
    if path.is_dir():
        raise CheckpointError(f"{path}: is a folder; give the .pt or .safetensors file")
    if not path.is_file():
        raise CheckpointError(f"{path}: no such weights file; check `weights`, or give a `url` to fetch it from")
    if what := storage.pretender(path):
        raise CheckpointError(f"{path}: is {what}")
    if what := SUFFIXES.get(path.suffix.lower()) or _by_content(path):
        other = ", or name the file by `onnx` in place of `weights`" if what == SUFFIXES[".onnx"] else ""
        raise CheckpointError(f"{path}: {what} are not read; {ORIGIN}{other}")
    if not is_safetensors(path):
        _check_archive(path)


def is_safetensors(path: Path) -> bool:
    """Return whether a file begins as safetensors do, with the length of a JSON object and that, or is named so."""
    if path.suffix == ".safetensors":
        return True
    with path.open("rb") as file:
        length, begin = int.from_bytes(file.read(8), "little"), file.read(1)
    return begin == b"{" and 8 + length <= path.stat().st_size


def _by_content(path: Path) -> str | None:
    with path.open("rb") as file:
        head = file.read(256)
    if head[:1] == b"\x08" and b"pytorch" in head[:32]:
        return SUFFIXES[".onnx"]
    if (
        head[4:5] == b"{"
        and b"ftrt" not in head[:4]
        and int.from_bytes(head[:4], "little") < 2**16
        and b'"' in head[5:8]
    ):
        return "TensorRT engines"  # with Ultralytics' description before them
    return next((what for begin, what in BEGINNINGS.items() if head.startswith(begin)), None)


def _check_archive(path: Path) -> None:
    with path.open("rb") as file:
        head = file.read(len(BEFORE_1_6))
    if head == BEFORE_1_6:
        raise CheckpointError(f"{path}: was saved before PyTorch 1.6, or in its format; {STATE_DICT}")
    if not zipfile.is_zipfile(path):
        why = (
            "truncated: it has no end; copy or fetch it again"
            if head.startswith(b"PK")
            else f"of no known kind; {ORIGIN}"
        )
        raise CheckpointError(f"{path}: no PyTorch archive, {why}")
    with zipfile.ZipFile(path) as archive:
        names = {name.partition("/")[2] for name in archive.namelist()}
    if any(name.startswith(TORCHSCRIPT) for name in names):
        raise CheckpointError(f"{path}: TorchScript modules are not read; {ORIGIN}")
    if "data.pkl" not in names:
        raise CheckpointError(f"{path}: is a zip archive, but not one of PyTorch's; unpack it and give what is in it")
