"""Mistakes of a config against its schema, each in one line: file, key, cause, and what was probably meant."""

import json
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator, ValidationError

from speedmap.run.config_files import ConfigError, locate, near

TYPES = {"object": "keys with values", "array": "a list", "integer": "a whole number", "number": "a number",
         "string": "text", "boolean": "true or false", "null": "null"}  # fmt: skip
COMMAND_LINE = "--config"
LONGEST = 100  # characters of a value that are shown
BOUNDS = {"minimum": "small; it is at least", "exclusiveMinimum": "small; it is more than",
          "maximum": "large; it is at most"}  # fmt: skip
FIRST = ("additionalProperties", "type")  # of several mistakes: a wrong key explains one that is missing


def check(config: dict, schema_file: Path, files: Sequence[str]) -> None:
    """Hold a config against its schema; ConfigError for what is wrong, with that of its files that says so."""
    schema = _schema(schema_file)
    if error := min(Draft202012Validator(schema).iter_errors(config), key=_rank, default=None):
        raise ConfigError(describe(error, schema, files))


@cache
def _schema(file: Path) -> dict:
    return yaml.safe_load(file.read_text("utf-8"))


def _rank(error: ValidationError) -> int:
    return FIRST.index(error.validator) if error.validator in FIRST else len(FIRST)


def describe(error: ValidationError, schema: dict, files: Sequence[str]) -> str:
    """Write what the validator says in one line: `mine.yaml: imgsz: 600 is no multiple of 32; ...`."""
    path = [str(part) for part in error.absolute_path if not isinstance(part, int)]
    words = WORDS.get(str(error.validator), _unknown)(error, schema)
    named = ".".join([*path, *_extra(error)[:1]])  # in the file that has the value, or the others of a missing key
    file = locate(named, files) or (COMMAND_LINE if named or not files else near(files[0]))
    key = f"{'.'.join(path)}: " if path else ""
    return f"{file}: {key}{' '.join(words.split())}"


def _shown(value: Any) -> str:
    """Write a value as YAML has it, texts in quotes, since '640' and 640 differ; what is long is cut."""
    text = repr(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def nearest(word: Any, known: Iterable[str]) -> str:
    """Write what was probably meant, if anything is near."""
    by_small = {str(name).lower(): name for name in known}
    near = get_close_matches(str(word).lower(), by_small, n=1)
    return f"did you mean {by_small[near[0]]!r}?" if near else ""


def _extra(error: ValidationError) -> list[str]:
    """List the keys that a mapping should not have."""
    if error.validator != "additionalProperties":
        return []
    return [str(key) for key in error.instance if key not in _properties(error.schema)]


def _properties(schema: dict) -> dict:
    return schema.get("properties", {})


def _no_key(error: ValidationError, schema: dict) -> str:
    known, key = _properties(error.schema), _extra(error)[0]
    elsewhere = [name for name, other in _properties(schema).items() if key in _properties(other)]
    moved = f"it belongs under {elsewhere[0]}" if elsewhere and not error.absolute_path else ""
    there = f"there {'are' if len(known) > 1 else 'is only'} {', '.join(known)}"
    return f"{key!r} is no key; {moved or nearest(key, known) or there}"


def _missing(error: ValidationError, _schema: dict) -> str:
    missing = next(name for name in error.validator_value if name not in error.instance)
    other = "; or give data, the path of a data.yaml" if "calibration" in error.validator_value else ""
    other = "; or give onnx, a file of export.py" if "weights" in error.validator_value else other
    return f"{missing!r} is missing; add it{other}"


def _needs(error: ValidationError, _schema: dict) -> str:
    key = next(key for key, others in error.validator_value.items() if key in error.instance
               and any(other not in error.instance for other in others))  # fmt: skip
    return f"{key!r} needs {' and '.join(error.validator_value[key])} beside it; add it"


def _type(error: ValidationError, _schema: dict) -> str:
    wanted = [error.validator_value] if isinstance(error.validator_value, str) else error.validator_value
    return f"{_shown(error.instance)} is not {' or '.join(TYPES[name] for name in wanted)}{_written(error, wanted[0])}"


def _written(error: ValidationError, wanted: str) -> str:
    """Write a scalar as the type that is wanted has it, where that is plain."""
    value = error.instance
    if wanted == "array" and type(value) in (str, int):
        return f"; write [{value}]"
    if not isinstance(value, str):
        return ""
    needed = error.schema.get("required") or error.schema.get("else", {}).get("required", ())
    number = value.replace(".", "", 1).isdigit() and wanted in ("integer", "number")
    model = f"{{{needed[0]}: {value}}}" if wanted == "object" and len(needed) == 1 else ""
    form = value if number else model
    return f"; write {form}" if form else ""


def _enum(error: ValidationError, _schema: dict) -> str:
    known = [str(name) for name in error.validator_value]
    if error.instance is None and "null" in known:
        return 'null is nothing in YAML; write "null" in quotes'
    near = nearest(error.instance, known)
    return f"{_shown(error.instance)} is not one of {', '.join(known)}{f'; {near}' if near else ''}"


def _multiple(error: ValidationError, _schema: dict) -> str:
    step, value = error.validator_value, error.instance
    below = int(value // step) * step
    return f"{value} is no multiple of {step}; the nearest are {max(below, step)} and {max(below, step) + step}"


def _pattern(error: ValidationError, _schema: dict) -> str:
    return f"{_shown(error.instance)} is not {error.schema.get('$comment', f'of the form {error.validator_value}')}"


def _empty(_error: ValidationError, _schema: dict) -> str:
    return "is empty; name at least one"


def _twice(error: ValidationError, _schema: dict) -> str:
    values = [item for position, item in enumerate(error.instance) if item in error.instance[:position]]
    return f"{_shown(values[0])} is named twice; delete one"


def _unknown(error: ValidationError, _schema: dict) -> str:
    return error.message.partition("\n")[0][:LONGEST]


def _bound(error: ValidationError, _schema: dict) -> str:
    return f"{error.instance} is too {BOUNDS[str(error.validator)]} {error.validator_value}"


def _long(error: ValidationError, _schema: dict) -> str:
    text, most = _shown(error.instance), error.validator_value
    return f"{text} is too long: {len(error.instance)} characters, at most {most} are allowed"


WORDS = {"additionalProperties": _no_key, "required": _missing, "dependentRequired": _needs, "type": _type,
         "enum": _enum, "multipleOf": _multiple, "pattern": _pattern, "minItems": _empty, "minProperties": _empty,
         "uniqueItems": _twice, "maxLength": _long, **dict.fromkeys(BOUNDS, _bound)}  # fmt: skip
