"""Read the whole data set once, so that nothing about it fails later."""

import sys
from pathlib import Path

from speedmap.dataset import coco
from speedmap.results import records
from speedmap.results.asked import Asked
from speedmap.run.job import run_step


def check_dataset(
    images: str, annotations: str, calibration: str, dataset: dict, imgsz: int, wanted: int | None, out: str,
    image_set: str,
) -> None:  # fmt: skip
    """Write the inventory of a data set, and apart from it what does not change with a box."""
    paths = {"images": images, "annotations": annotations, "calibration": calibration}
    asked = Asked(**{part: str(Path(path)) for part, path in paths.items()}, imgsz=imgsz, **dataset)
    inventory = coco.inventory(asked, wanted)
    records.write(Path(image_set), inventory.image_set())
    records.write(Path(out), inventory)
    for line in inventory.derived:
        print(f"{annotations}: {line}", file=sys.stderr)


if __name__ == "__main__":
    run_step(check_dataset, snakemake)
