"""The config by the names of its keys, decoded once from what the schema has checked and filled in.

Dataclasses, since a plan has to do with Snakemake alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Model:
    """Weights, and where they come from if they are fetched. onnx: the same file where it is an exported graph."""

    weights: str
    onnx: str | None = None
    url: str | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class Source:
    """Where a part of a data set comes from. member: of the archive. count: of the images that are fetched."""

    url: str
    sha256: str | None = None
    member: str | None = None
    count: int | None = None


@dataclass(frozen=True)
class DataSet:
    """What is evaluated and calibrated on. sources: by part. data: data.yaml behind the others."""

    images: str
    annotations: str
    calibration: str
    name: str = ""
    limit: int | None = None
    data: str | None = None
    sources: Mapping[str, Source] = field(default_factory=dict)


@dataclass(frozen=True)
class Int8:
    """How INT8 is made, as far as it decides what is planned."""

    method: str = "explicit"
    target: float = 0


@dataclass(frozen=True)
class Foreign:
    """An engine that was built elsewhere. precision: what it was built in."""

    engine: str
    precision: str = "fp16"


@dataclass(frozen=True)
class Settings:
    """A config, as far as the program looks at it while it plans; the rest goes to jobs as it is."""

    models: Mapping[Any, Model]
    precisions: list[str]
    shapes: list[str]
    batches: list[int]
    skip: list[str]
    torch: bool
    imgsz: int
    dataset: DataSet
    int8: Int8
    foreign: Mapping[str, Foreign] = field(default_factory=dict)
    builds: int = 1
    backend: str = "auto"
    platform: Mapping[str, Any] | None = None


def decode(config: Mapping[str, Any]) -> Settings:
    """Take the settings out of a config that its schema allows."""
    data = config["dataset"]
    sources = {part: _of(Source, source) for part, source in data.get("sources", {}).items()}
    parts = {
        "models": {name: _of(Model, model) for name, model in config["models"].items()},
        "dataset": _of(DataSet, {**data, "sources": sources}),
        "int8": _of(Int8, config["int8"]),
        "foreign": {name: _of(Foreign, engine) for name, engine in config.get("foreign", {}).items()},
    }
    return _of(Settings, {**config, **parts})


def _of(kind: type[T], values: Mapping[str, Any]) -> T:
    names = {one.name for one in fields(kind)}
    return kind(**{name: value for name, value in values.items() if name in names})
