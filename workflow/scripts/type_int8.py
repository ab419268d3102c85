"""Write INT8 into a float32 graph, as the backend wants it."""

from pathlib import Path

import onnx

from speedmap import storage
from speedmap.errors.explain import job
from speedmap.graph import fp16
from speedmap.graph.detector_graph import note
from speedmap.quantization import insert_qdq
from speedmap.quantization.calibration import Statistics
from speedmap.results import records

NOTED = ("target", "reached", "met", "int8_share")  # of the choice, for those who judge the engine
HALF_REST = {"tensorrt"}  # backends that run the rest of an INT8 graph in float16; a CPU has no fast one


def main(source: str, statistics: str, layers: str, dialect: str, options: dict, out: str) -> None:
    """Insert Q/DQ nodes at every convolution but those chosen to stay in float."""
    choice = records.read(Path(layers))
    model = insert_qdq.quantize(onnx.load(source), Statistics.load(Path(statistics)), choice["float"], dialect, options)
    model = fp16.to_fp16(model) if dialect in HALF_REST else model
    note(model, {key: choice[key] for key in NOTED if key in choice})
    with storage.atomic(Path(out)) as temporary:
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
