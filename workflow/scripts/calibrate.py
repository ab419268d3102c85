"""Collect a model's activation statistics on the calibration images, once."""

from pathlib import Path

from speedmap.quantization import calibration
from speedmap.results import records
from speedmap.results.inventory import ImageSet
from speedmap.results.prepared import Weights
from speedmap.run.job import run_step

FEW = 8  # images for random weights, which need some ranges, not good ones


def calibrate(onnx: str, weights: str, image_set: str, imgsz: int, images: int | None, out: str) -> None:
    """Write the statistics of the float32 graph's tensors on the first calibration images, None: all."""
    files = list(map(Path, records.read(Path(image_set), ImageSet).calibration_files))[:images]
    files = files[:FEW] if records.read(Path(weights), Weights).random else files
    calibration.collect(Path(onnx), files, imgsz).save(Path(out))


if __name__ == "__main__":
    run_step(calibrate, snakemake)
