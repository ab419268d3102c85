"""Score what an engine detected."""

from pathlib import Path

from speedmap.accuracy import evaluate
from speedmap.errors.explain import job
from speedmap.results import records


def main(parts: list[str], dataset: str, code: str, out: str, found: str) -> None:
    """Write the accuracy record of a cell, and the COCO result file behind it."""
    record, detections = evaluate.score([records.read(Path(part)) for part in parts], records.read(Path(dataset)), code)
    evaluate.write_detections(Path(found), detections)
    records.write(Path(out), record)


if __name__ == "__main__":
    with job(snakemake.log[0]):
        main(
            list(snakemake.input.parts),
            snakemake.input.dataset,
            snakemake.params.code,
            snakemake.output.record,
            snakemake.output.detections,
        )
