"""Write float16 into a float32 graph."""

from pathlib import Path

import onnx

from speedmap import storage
from speedmap.graph import fp16
from speedmap.run.job import run_step


def type_fp16(source: str, out: str) -> None:
    """Type a graph as float16 up to its last convolutions."""
    with storage.atomic(Path(out)) as temporary:
        onnx.save(fp16.to_fp16(onnx.load(source)), temporary)


if __name__ == "__main__":
    run_step(type_fp16, snakemake)
