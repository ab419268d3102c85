"""A data set that a config names by YOLO's data.yaml: what stands for its images, annotations and calibration."""

import re
from dataclasses import replace
from pathlib import Path

from speedmap.dataset import data_yaml
from speedmap.errors import UserError
from speedmap.results.asked import Asked
from speedmap.run.settings import DataSet

MADE = ANNOTATIONS, CALIBRATION = "results/labels/instances.json", "results/labels/calibration.txt"  # by convert_labels


def completed(dataset: DataSet, recorded: Asked | None) -> DataSet:
    """Return a data set with the name and the paths that its data.yaml leads to, where it has none of its own.

    recorded: what the results at hand are of, which stand when the data set itself is gone. Raises DataYamlError.
    """
    try:
        data = data_yaml.read(Path(dataset.data))
        name, images, calibration = _name(data.file), str(data_yaml.root(data)), CALIBRATION
    except UserError:
        if not recorded or recorded.data != dataset.data:
            raise
        name, images, calibration = recorded.name, recorded.images, recorded.calibration
    own = {"name": dataset.name or name, "calibration": dataset.calibration or calibration}
    return replace(dataset, images=images, annotations=ANNOTATIONS, **own)


def sources(dataset: DataSet, count: int | None) -> list[Path]:
    """List the files besides the evaluation images that a data set by data.yaml is made from."""
    data = data_yaml.read(Path(dataset.data))
    labels = map(data_yaml.label_of, data_yaml.images(data.val))
    spare = data_yaml.calibration(data, count) if dataset.calibration == CALIBRATION else []
    return [data.file, *(label for label in labels if label.is_file()), *spare]


def _name(file: Path) -> str:
    name = file.stem if file.stem != "data" else file.absolute().parent.name
    return re.sub(r"[|<>\x00-\x1f]", "-", name)[:100] or "data"
