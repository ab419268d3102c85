"""Config files as they are written: whether they are YAML, name a key twice, and which of them has a key."""

from collections.abc import Iterable
from pathlib import Path

import yaml

from speedmap.errors import UserError

SYNTAX = "indent by spaces, close what is open, and put a text that has `: ` or ` #` in it in quotes"


class ConfigError(UserError):
    """A mistake in the config; the message names the key, the cause and the remedy."""


def check_readable(files: Iterable[str | Path]) -> None:
    """Raise ConfigError where a file is no YAML with keys, with the place; Snakemake says neither file nor line."""
    for file in map(str, files):
        try:
            content = yaml.safe_load(Path(file).read_text("utf-8"))
        except yaml.MarkedYAMLError as error:
            place = error.problem_mark or error.context_mark
            where = f"line {place.line + 1}, column {place.column + 1}"
            raise ConfigError(f"{near(file)}: {where}: {error.problem}; {SYNTAX}") from error
        except OSError as error:
            raise ConfigError(f"{near(file)}: {error.strerror}; correct the path") from error
        except (ValueError, yaml.YAMLError) as error:
            raise ConfigError(f"{near(file)}: {' '.join(str(error).split())}; write it as YAML in UTF-8") from error
        if not isinstance(content, dict):
            raise ConfigError(f"{near(file)}: has no keys with values; write some, such as `models: {{...}}`")


def check_doubles(file: str, node: yaml.Node | None) -> None:
    """Refuse a key that a mapping has twice: YAML would silently keep the last."""
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            if key.value in seen:
                raise ConfigError(
                    f"{near(file)}: line {key.start_mark.line + 1}: {key.value!r} is named twice; rename or delete one"
                )
            seen.add(key.value)
            check_doubles(file, value)


def locate(key: str, files: Iterable[str]) -> str:
    """Return the file that has a dotted key, models.yolov5s-v6.0.weights, and its line; '' for none."""
    marks = ((file, _mark(_composed(file), key)) for file in files)
    return next((f"{near(file)}: line {mark.line + 1}" for file, mark in marks if mark), "")


def near(file: str) -> str:
    """Write a path from here where it leads below."""
    path = Path(file).absolute()
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else file


def _mark(node: yaml.Node | None, key: str) -> yaml.Mark | None:
    """Return where a mapping has a dotted key, whose parts may have dots themselves; None where it has not."""
    if not isinstance(node, yaml.MappingNode):
        return None
    within = (
        name.start_mark if name.value == key else _mark(value, key.removeprefix(f"{name.value}."))
        for name, value in reversed(node.value)  # of a key that is named twice the last counts
        if name.value == key or key.startswith(f"{name.value}.")
    )
    return next(filter(None, within), None)


def _composed(file: str) -> yaml.Node | None:
    try:
        return yaml.compose(Path(file).read_text("utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return None
