"""Read the whole data set once, so that nothing about it fails later."""

import sys
from pathlib import Path

from speedmap.dataset import coco
from speedmap.results import records
from speedmap.run.job import run_step


def check_dataset(
    images: str, annotations: str, calibration: str, dataset: dict, imgsz: int, wanted: int | None, out: str
) -> None:
    """Write the inventory of a data set."""
    folders = Path(images), Path(annotations), Path(calibration)
    inventory = coco.inventory(*folders, imgsz=imgsz, wanted=wanted, **dataset)
    records.write(Path(out), inventory)
    for line in inventory.derived:
        print(f"{annotations}: {line}", file=sys.stderr)


if __name__ == "__main__":
    run_step(check_dataset, snakemake)
