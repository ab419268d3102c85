"""Find out which convolutions cost the most in INT8, and which must therefore stay in float."""

from pathlib import Path

from speedmap.quantization import qdq_plan, sensitivity
from speedmap.quantization.calibration import Statistics
from speedmap.quantization.options import Options
from speedmap.results import records
from speedmap.results.inventory import ImageSet
from speedmap.results.prepared import Choice, Weights
from speedmap.run.job import run_step


def choose_float(
    dialect: str, onnx: str, statistics: str, weights: str, image_set: str, imgsz: int, options: dict, out: str
) -> None:
    """Write the scan of all convolutions and the choice that follows from it; random weights are not worth one."""
    chosen = Options(**options)
    if records.read(Path(weights), Weights).random:
        kept = sensitivity.affordable_ends(Path(onnx), imgsz, chosen.least_share)
        records.write(Path(out), Choice(in_float=kept, table=[]))
        return
    files = list(map(Path, records.read(Path(image_set), ImageSet).calibration_files))
    seen = Statistics.load(Path(statistics))
    records.write(Path(out), sensitivity.choose(Path(onnx), seen, files, imgsz, dialect, chosen))


if __name__ == "__main__":
    run_step(choose_float, snakemake, dialect=qdq_plan.dialect(snakemake.wildcards.backend, snakemake.params.target))
