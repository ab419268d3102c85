"""Write the labels of a YOLO data set as COCO JSON, and choose images to calibrate on."""

import sys
from pathlib import Path

from msgspec import json

from speedmap import storage
from speedmap.dataset import data_yaml, labels
from speedmap.run.job import run_step


def convert_labels(data: str, wanted: int | None, annotations: str, calibration: str) -> None:
    """Write the COCO JSON of a data.yaml's `val`, and a list of images of its `train` for INT8; wanted: as many."""
    described = data_yaml.read(Path(data))
    content = labels.instances(described)
    with storage.atomic(Path(annotations)) as temporary:
        temporary.write_bytes(json.encode(content))
    with storage.atomic(Path(calibration)) as temporary:
        temporary.write_text("".join(f"{file}\n" for file in data_yaml.calibration(described, wanted)), "utf-8")
    for line in content.derived:
        print(f"{data}: {line}", file=sys.stderr)


if __name__ == "__main__":
    run_step(convert_labels, snakemake)
