"""Find out which convolutions cost the most in INT8, and which must therefore stay in float."""

from pathlib import Path

from speedmap.errors.explain import job
from speedmap.quantization import sensitivity
from speedmap.quantization.calibration import Statistics
from speedmap.results import records


def main(
    onnx: str, statistics: str, weights: str, dataset: str, imgsz: int, dialect: str, options: dict, out: str
) -> None:
    """Write the scan of all convolutions and the choice that follows from it; random weights are not worth one."""
    if records.read(Path(weights))["random"]:
        records.write(Path(out), {"float": sensitivity.affordable_ends(Path(onnx), imgsz, options), "table": []})
        return
    files = [Path(image["file"]) for image in records.read(Path(dataset))["calibration"]]
    choice = sensitivity.choose(Path(onnx), Statistics.load(Path(statistics)), files, imgsz, dialect, options)
    records.write(Path(out), choice)


if __name__ == "__main__":
    with job(snakemake.log[0]):
        main(
            snakemake.input.onnx,
            snakemake.input.statistics,
            snakemake.input.weights,
            snakemake.input.dataset,
            snakemake.params.imgsz,
            snakemake.params.dialect,
            snakemake.params.options,
            snakemake.output[0],
        )
