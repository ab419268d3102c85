"""Read the whole data set once, so that nothing about it fails later."""

from pathlib import Path

from speedmap.dataset import coco
from speedmap.errors.explain import job
from speedmap.results import records


def main(
    images: str, annotations: str, calibration: str, named: dict, imgsz: int, wanted: int | None, out: str
) -> None:
    """Write the inventory of a data set."""
    record = coco.inventory(Path(images), Path(annotations), Path(calibration), imgsz=imgsz, wanted=wanted, **named)
    records.write(Path(out), record)


if __name__ == "__main__":
    with job(snakemake.log[0]):
        main(
            snakemake.input.images,
            snakemake.input.annotations,
            snakemake.input.calibration,
            snakemake.params.dataset,
            snakemake.params.imgsz,
            snakemake.params.wanted,
            snakemake.output[0],
        )
