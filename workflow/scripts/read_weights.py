"""Bring a model's weights into one form; the only step that opens a file from strangers."""

from pathlib import Path

from speedmap.graph import export, given_onnx
from speedmap.model import checkpoint, weights
from speedmap.results import records
from speedmap.results.inventory import ImageSet
from speedmap.run.job import run_step


def read_weights(model: str, source: str, is_onnx: bool, image_set: str, imgsz: int, out: str, record: str) -> None:
    """Write a model's fused network as safetensors, and beside it where it came from; an ONNX must compute the same."""
    data, path = records.read(Path(image_set), ImageSet), Path(out)
    given = given_onnx.read(Path(source)) if is_onnx else None
    content = checkpoint.given(Path(source), given.tensors, given.names) if given else None
    made = weights.normalise(model, source, [category.name for category in data.categories], path, content)
    if given:
        files = list(map(Path, data.calibration_files[: export.CHECKED]))
        made.given = given_onnx.difference(given, weights.network(path), files, imgsz)
    records.write(Path(record), made)


if __name__ == "__main__":
    run_step(read_weights, snakemake)
