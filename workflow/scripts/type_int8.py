"""Write INT8 into a float32 graph, as the backend wants it."""

from pathlib import Path

import onnx

from speedmap import precision, quantize, records
from speedmap.calibrate import Statistics
from speedmap.diagnose import job
from speedmap.graph import note

NOTED = ("target", "reached", "met", "int8_share")  # of the choice, for those who judge the engine
HALF_REST = {"tensorrt"}  # backends that run the rest of an INT8 graph in float16; a CPU has no fast one


def main(source: str, statistics: str, layers: str, dialect: str, options: dict, out: str) -> None:
    """Insert Q/DQ nodes at every convolution but those chosen to stay in float."""
    choice = records.read(Path(layers))
    model = quantize.quantize(onnx.load(source), Statistics.load(Path(statistics)), choice["float"], dialect, options)
    model = precision.half(model) if dialect in HALF_REST else model
    note(model, {key: choice[key] for key in NOTED if key in choice})
    with records.atomic(Path(out)) as temporary:
        onnx.save(model, temporary)


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
