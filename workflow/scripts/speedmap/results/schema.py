"""The schemas of the measured records, and what a record says against its own."""

from functools import cache
from pathlib import Path

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from speedmap.results import records
from speedmap.results.cell import Cell
from speedmap.results.records import RecordError

FOLDER = Path(__file__).parents[3] / "schemas"
AGAIN = "delete it and run again"


def checked(paths: list[str], dataset: dict | None = None) -> list[str]:
    """Give back the paths of measured records, if they can be believed to be what they stand for.

    dataset: that they must have been measured on, None for any. Raises RecordError for a record that is not as the
    schema named after its file says, or that is of another cell or data set.
    """
    for path in map(Path, paths):
        record, kind = records.read(path), path.name.partition(".")[0]  # speed.2.json, of a further build, is a speed
        if error := best_match(_validator(kind).iter_errors(record)):
            where = "".join(f"[{part!r}]" for part in error.absolute_path)
            raise RecordError(f"{path}: {where} {' '.join(error.message.split())[:200]}; {AGAIN}")
        if kind == "speed" and record["audit"]["precision"] not in record["audit"]["shares"]:
            raise RecordError(f"{path}: runs {record['audit']['precision']}, of which it knows no share; {AGAIN}")
        if path.parent.parts[-2:] != Path((cell := Cell(**record["cell"])).folder).parts[-2:]:
            raise RecordError(f"{path}: is of {cell.backend}/{cell.name}; {AGAIN}")
        if dataset and record["dataset"]["sha256"] != dataset["sha256"]:
            raise RecordError(f"{path}: is of other images or boxes than results/dataset.json; {AGAIN}")
    return paths


def sound(path: str, dataset: dict) -> bool:
    """Say whether a record can be believed, as `checked` does."""
    try:
        return bool(checked([path], dataset))
    except RecordError:
        return False


@cache
def _validator(kind: str) -> Draft202012Validator:
    return Draft202012Validator(yaml.safe_load((FOLDER / f"{kind}.schema.yaml").read_text()))
