"""Read the whole data set once, so that nothing about it fails later."""

from pathlib import Path

from speedmap import coco, records
from speedmap.diagnose import job


def main(name: str, images: str, annotations: str, calibration: str, limit: int | None, imgsz: int, out: str) -> None:
    """Write the inventory of a data set."""
    record = coco.inventory(name, Path(images), Path(annotations), Path(calibration), limit, imgsz)
    records.write(Path(out), record)


if __name__ == "__main__":
    with job(snakemake.log[0]):
        main(
            snakemake.params.name,
            snakemake.input.images,
            snakemake.input.annotations,
            snakemake.input.calibration,
            snakemake.params.limit,
            snakemake.params.imgsz,
            snakemake.output[0],
        )
