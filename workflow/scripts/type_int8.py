"""Write INT8 into a float32 graph, as the backend wants it."""

from pathlib import Path

import onnx

from speedmap import precision, quantize, records
from speedmap.calibrate import Statistics
from speedmap.diagnose import job

HALF_REST = {"tensorrt"}  # backends that run the rest of an INT8 graph in float16; a CPU has no fast one


def main(source: str, statistics: str, layers: str, dialect: str, options: dict, out: str) -> None:
    """Insert Q/DQ nodes at every convolution but those chosen to stay in float."""
    keep = records.read(Path(layers))["float"]
    model = quantize.quantize(onnx.load(source), Statistics.load(Path(statistics)), keep, dialect, options)
    with records.atomic(Path(out)) as temporary:
        onnx.save(precision.half(model) if dialect in HALF_REST else model, temporary)


if __name__ == "__main__":
    with job(snakemake.log[0]):
        main(
            snakemake.input.onnx,
            snakemake.input.statistics,
            snakemake.input.layers,
            snakemake.params.dialect,
            snakemake.params.options,
            snakemake.output[0],
        )
