"""Let a typed graph take several images at a time."""

from pathlib import Path

import onnx

from speedmap import storage
from speedmap.graph import batch as batches
from speedmap.run.job import run_step


def change_batch(source: str, batch: int, out: str) -> None:
    """Write the same graph for a batch."""
    with storage.atomic(Path(out)) as temporary:
        onnx.save(batches.rebatched(onnx.load(source), batch), temporary)


if __name__ == "__main__":
    run_step(change_batch, snakemake, batch=int(snakemake.wildcards.batch))
