"""Collect a model's activation statistics on the calibration images, once."""

from pathlib import Path

from speedmap.errors.explain import job
from speedmap.quantization import calibration
from speedmap.results import records

FEW = 8  # images for random weights, which need some ranges, not good ones


def main(onnx: str, weights: str, dataset: str, imgsz: int, count: int | None, out: str) -> None:
    """Write the statistics of the float32 graph's tensors on the first `count` calibration images, None: all."""
    files = [Path(image["file"]) for image in records.read(Path(dataset))["calibration"]][:count]
    files = files[:FEW] if records.read(Path(weights))["random"] else files
    calibration.collect(Path(onnx), files, imgsz).save(Path(out))


if __name__ == "__main__":
    with job(snakemake.log[0]):
        main(
            snakemake.input.onnx,
            snakemake.input.weights,
            snakemake.input.dataset,
            snakemake.params.imgsz,
            snakemake.params.images,
            snakemake.output.statistics,
        )
