"""The JSON records."""

import json
from pathlib import Path

from speedmap import storage
from speedmap.errors import UserError

SCHEMA = 1  # of every record; raised when a field changes its meaning


class RecordError(UserError):
    """A record that cannot be read; the message names the file and the remedy."""


def write(path: Path, record: dict, indent: int | None = 1) -> None:
    """Write a record as JSON with `schema` in front; ValueError when a number in it is NaN or infinite."""
    text = json.dumps({"schema": SCHEMA, **record}, indent=indent, allow_nan=False)
    with storage.atomic(path) as temporary:
        temporary.write_text(text + "\n")


def read(path: Path) -> dict:
    """Read a record; RecordError when it is no JSON object of this schema."""
    try:
        record = json.loads(path.read_text(), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise RecordError(f"{path}: no JSON record ({error}); delete it and run again") from error
    if not isinstance(record, dict) or record.get("schema") != SCHEMA:
        raise RecordError(f"{path}: not a record of schema {SCHEMA}; delete it and run again")
    return record


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")
