"""The schemas of the measured records, and what a record says against its own."""

from functools import cache
from pathlib import Path

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from speedmap import records
from speedmap.records import RecordError

FOLDER = Path(__file__).parents[2] / "schemas"
AGAIN = "delete it and run again"


def checked(paths: list[str]) -> list[str]:
    """Give back the paths of records; RecordError when one is not as the schema named after its file says."""
    for path in map(Path, paths):
        record = records.read(path)
        if error := best_match(_validator(path.stem).iter_errors(record)):
            where = "".join(f"[{part!r}]" for part in error.absolute_path)
            raise RecordError(f"{path}: {where} {' '.join(error.message.split())[:200]}; {AGAIN}")
        if path.stem == "speed" and record["audit"]["precision"] not in record["audit"]["shares"]:
            raise RecordError(f"{path}: runs {record['audit']['precision']}, of which it knows no share; {AGAIN}")
    return paths


def sound(path: str) -> bool:
    """Say whether a record is as its schema says."""
    try:
        return bool(checked([path]))
    except RecordError:
        return False


@cache
def _validator(kind: str) -> Draft202012Validator:
    return Draft202012Validator(yaml.safe_load((FOLDER / f"{kind}.schema.yaml").read_text()))
