"""Whether measured records are of the cell and the data set that they stand for."""

from pathlib import Path

from speedmap.errors import anew
from speedmap.results import records
from speedmap.results.accuracy import Accuracy
from speedmap.results.inventory import Dataset
from speedmap.results.records import RecordError
from speedmap.results.speed import Speed


def measured(path: Path) -> Speed | Accuracy:
    """Read a record of the kind that its file is named after; speed.2.json, of a further build, is a speed."""
    return records.read(path, Accuracy if path.name.startswith("accuracy") else Speed)


def checked(paths: list[str], dataset: Dataset | None = None) -> list[str]:
    """Return the paths of measured records, if they can be believed to be what they stand for.

    dataset: that they must have been measured on, None for any. Raises RecordError for a record that is none of its
    kind, or that is of another cell or data set.
    """
    for path in map(Path, paths):
        record = measured(path)
        if isinstance(record, Speed) and record.audit.precision not in record.audit.shares:
            raise RecordError(f"{path}: runs {record.audit.precision}, of which it knows no share; {anew(path)}")
        if path.parent.parts[-2:] != Path(record.cell.folder).parts[-2:]:
            raise RecordError(f"{path}: is of {record.cell.backend}/{record.cell.name}; {anew(path)}")
        if dataset and record.dataset.sha256 != dataset.sha256:
            raise RecordError(f"{path}: is of other images or boxes than results/dataset.json; {anew(path)}")
    return paths


def sound(path: str, dataset: Dataset) -> bool:
    """Return whether a record can be believed, as `checked` does."""
    try:
        return bool(checked([path], dataset))
    except RecordError:
        return False
