"""Files that are whole or absent, and the JSON records among them."""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from speedmap.errors import UserError

SCHEMA = 1  # of every record; raised when a field changes its meaning


class RecordError(UserError):
    """A record that cannot be read; the message names the file and the remedy."""


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary sibling of `path` that takes its place, synced to disk, only if the block succeeds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield temporary
        _sync(temporary)
        temporary.replace(path)
        with suppress(OSError):  # not every file system syncs folders
            _sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """Bring a file, or the names in a folder, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write(path: Path, record: dict, indent: int | None = 1) -> None:
    """Write a record as JSON with `schema` in front; ValueError when a number in it is NaN or infinite."""
    text = json.dumps({"schema": SCHEMA, **record}, indent=indent, allow_nan=False)
    with atomic(path) as temporary:
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


def sha256(path: Path) -> str:
    """Hash a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
