"""Bring a model's weights into one form; the only step that opens a file from strangers."""

from pathlib import Path

from speedmap import storage
from speedmap.model import weights
from speedmap.results import records
from speedmap.results.prepared import Dataset, Weights
from speedmap.run.job import job


def read_weights(model: str, source: str, dataset: str, out: str, record: str) -> None:
    """Write a model's fused network as safetensors, and beside it where it came from."""
    classes = [category.name for category in records.read(Path(dataset), Dataset).categories]
    facts = weights.normalise(model, source, classes, Path(out))
    records.write(Path(record), Weights(model=model, **facts, engine_sha256=storage.sha256(Path(out))))


if __name__ == "__main__":
    with job(snakemake.log[0]):
        read_weights(
            model=snakemake.wildcards.model,
            source=snakemake.params.source,
            dataset=snakemake.input.dataset,
            out=snakemake.output.weights,
            record=snakemake.output.record,
        )
