"""Records in JSON, each a struct that decodes, validates and is the schema in one."""

import json
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from speedmap import __version__, storage
from speedmap.errors import UserError, anew

SCHEMA = 2  # of every record; raised when a field changes its meaning
FRONT = ("schema", "speedmap", "cell", "measured", "protocol", "artefact", "environment", "runs")  # as one reads them

S = TypeVar("S", bound=Struct)


class RecordError(UserError):
    """A record that cannot be read; the message names the file, the field and the remedy."""


class Strict(Struct, kw_only=True, forbid_unknown_fields=True):
    """A part of a record."""


class Record(Strict, kw_only=True, tag_field="schema", tag=SCHEMA):
    """A file. speedmap: the version that wrote it."""

    speedmap: str = __version__


class _Header(Struct):
    """What is known of a record before its kind is; a struct's own tag may be missing."""

    schema: Any = None


def write(path: Path, record: Struct, indent: int | None = 1) -> None:
    """Write a record, what it is in front; ValueError when a number in it is NaN or infinite."""
    content = msgspec.to_builtins(record, enc_hook=_plain)
    front = {key: content.pop(key) for key in FRONT if key in content}
    text = json.dumps(front | content, indent=indent, allow_nan=False)
    with storage.atomic(path) as temporary:
        temporary.write_text(text + "\n", "utf-8")


def _plain(value: object) -> float:
    """Turn NumPy's number, which is a float, into Python's own."""
    if isinstance(value, float):
        return float(value)
    raise NotImplementedError(f"{type(value)} has no place in a record")


def read(path: Path, kind: type[S]) -> S:
    """Read a record of some kind; RecordError when it is no JSON, of another schema, or not as the kind says."""
    content = path.read_bytes()
    try:
        schema = msgspec.json.decode(content, type=_Header).schema
        if schema == SCHEMA:
            return msgspec.json.decode(content, type=kind)
    except msgspec.ValidationError as error:
        raise RecordError(f"{path}: not a sound record ({error}); {anew(path)}") from error
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise RecordError(f"{path}: no JSON record ({error}); {anew(path)}") from error
    raise RecordError(f"{path}: of schema {schema}, where this version of speedmap reads schema {SCHEMA}; {anew(path)}")


def convert(facts: dict, kind: type[S]) -> S:
    """Turn plain facts into a struct; msgspec.ValidationError when they are not as the kind says."""
    front = {"schema": SCHEMA} if kind.__struct_config__.tag_field == "schema" else {}
    return msgspec.convert(front | facts, kind)
