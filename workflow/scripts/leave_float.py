"""Leave a float32 graph as it was exported, for a TensorRT that finds INT8 ranges while it builds."""

import shutil
from pathlib import Path

from speedmap import storage
from speedmap.errors.explain import job


def main(onnx: str, out: str) -> None:
    """Copy the graph to where its cell's engine is built from."""
    with storage.atomic(Path(out)) as temporary:
        shutil.copyfile(onnx, temporary)


if __name__ == "__main__":
    with job(snakemake.log[0]):
        main(snakemake.input[0], snakemake.output[0])
