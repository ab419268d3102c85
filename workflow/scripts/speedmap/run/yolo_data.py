"""A data set that a config names by YOLO's data.yaml: what stands for its images, annotations and calibration."""

import re
from pathlib import Path

from speedmap.dataset import data_yaml
from speedmap.errors import UserError
from speedmap.run.settings import DataSet

MADE = ANNOTATIONS, CALIBRATION = "results/labels/instances.json", "results/labels/calibration.txt"  # by convert_labels
PARTS = ("name", "images", "annotations", "calibration")


def completed(dataset: dict, recorded: dict | None) -> dict:
    """Return a config's `dataset` with the paths that its data.yaml leads to; unchanged where it names none.

    recorded: what the results at hand are of, which stand when the data set itself is gone. Raises DataYamlError.
    """
    if "data" not in dataset:
        return dataset
    try:
        data = data_yaml.read(Path(dataset["data"]))
        made = {"name": _name(data.file), "images": str(data_yaml.root(data))}
    except UserError:
        if not recorded or recorded.get("data") != dataset["data"]:
            raise
        made = {part: recorded[part] for part in PARTS if part in recorded}
    return {"annotations": ANNOTATIONS, "calibration": CALIBRATION, **made, **dataset}


def sources(dataset: DataSet, count: int | None) -> list[Path]:
    """List the files besides the evaluation images that a data set by data.yaml is made from."""
    data = data_yaml.read(Path(dataset.data))
    labels = map(data_yaml.label_of, data_yaml.images(data.val))
    spare = data_yaml.calibration(data, count) if dataset.calibration == CALIBRATION else []
    return [data.file, *(label for label in labels if label.is_file()), *spare]


def _name(file: Path) -> str:
    name = file.stem if file.stem != "data" else file.absolute().parent.name
    return re.sub(r"[|<>\x00-\x1f]", "-", name)[:100] or "data"
