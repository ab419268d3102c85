"""Write float16 into a float32 graph."""

from pathlib import Path

import onnx

from speedmap import storage
from speedmap.errors.explain import job
from speedmap.graph import fp16


def main(source: str, out: str) -> None:
    """Type a graph as float16 up to its last convolutions."""
    with storage.atomic(Path(out)) as temporary:
        onnx.save(fp16.to_fp16(onnx.load(source)), temporary)


if __name__ == "__main__":
    with job(snakemake.log[0]):
        main(snakemake.input[0], snakemake.output[0])
