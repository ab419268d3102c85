"""Write float16 into a float32 graph."""

from pathlib import Path

import onnx

from speedmap import precision, records
from speedmap.diagnose import job


def main(source: str, out: str) -> None:
    """Type a graph as float16 up to its last convolutions."""
    with records.atomic(Path(out)) as temporary:
        onnx.save(precision.half(onnx.load(source)), temporary)


if __name__ == "__main__":
    with job(snakemake.log[0]):
        main(snakemake.input[0], snakemake.output[0])
