"""Write INT8 into a float32 graph, as the backend wants it."""

from pathlib import Path

import onnx

from speedmap import storage
from speedmap.quantization import insert_qdq, qdq_plan
from speedmap.quantization.calibration import Statistics
from speedmap.quantization.options import Options
from speedmap.results import records
from speedmap.results.prepared import Choice
from speedmap.run.job import run_step


def type_int8(
    dialect: str, source: str, options: dict, out: str, statistics: str | None = None, choice: str | None = None
) -> None:
    """Insert Q/DQ nodes at every convolution but those chosen to stay in float.

    Without statistics the graph stays float32, for a TensorRT that finds INT8 ranges while it builds.
    """
    model = onnx.load(source)
    if statistics and choice:
        chosen, seen = records.read(Path(choice), Choice), Statistics.load(Path(statistics))
        model = insert_qdq.type_int8(model, seen, chosen, dialect, Options(**options))
    with storage.atomic(Path(out)) as temporary:
        onnx.save(model, temporary)


if __name__ == "__main__":
    run_step(type_int8, snakemake, dialect=qdq_plan.dialect(snakemake.wildcards.backend, snakemake.params.target))
