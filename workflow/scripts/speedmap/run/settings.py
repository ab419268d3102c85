"""The config by the names of its keys, decoded once from what the schema has checked and filled in, and its cells.

Dataclasses, since a plan has to do with Snakemake alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from speedmap.results.asked import Asked
from speedmap.results.cell import BATCH, Cell


@dataclass(frozen=True)
class Model:
    """Weights, and where they come from if they are fetched. onnx: the same file where it is an exported graph."""

    weights: str = ""
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
class Sources:
    """Where the parts of a data set come from, as far as they are fetched."""

    images: Source | None = None
    annotations: Source | None = None
    calibration: Source | None = None

    @property
    def given(self) -> dict[str, Source]:
        return {part: source for part, source in vars(self).items() if source}


@dataclass(frozen=True)
class DataSet:
    """What is evaluated and calibrated on. data: data.yaml behind the others."""

    images: str = ""
    annotations: str = ""
    calibration: str = ""
    name: str = ""
    limit: int | None = None
    data: str | None = None
    sources: Sources = Sources()

    @property
    def paths(self) -> dict[str, str]:
        return {"images": self.images, "annotations": self.annotations, "calibration": self.calibration}


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
    """A config, as far as the program looks at it while it plans; the rest goes to jobs as it is.

    A cell is named `model-precision-shape`, that of a batch `model-precision-static-b8`.
    """

    models: Mapping[Any, Model]
    precisions: list[str]
    shapes: list[str]
    batches: list[int]
    skip: list[str]
    torch: bool
    imgsz: int
    dataset: DataSet
    int8: Int8
    accuracy: Mapping[str, Any] = field(default_factory=dict)
    speed: Mapping[str, Any] = field(default_factory=dict)
    foreign: Mapping[str, Foreign] = field(default_factory=dict)
    builds: int = 1
    backend: str = "auto"
    platform: Mapping[str, Any] | None = None

    @property
    def asked(self) -> Asked:
        """What the inventory of the data set follows from."""
        data, paths = self.dataset, {key: str(Path(path)) for key, path in self.dataset.paths.items()}
        return Asked(name=data.name, limit=data.limit, imgsz=self.imgsz, data=data.data, **paths)

    @property
    def several(self) -> list[int]:
        return [batch for batch in self.batches if batch > 1]

    @property
    def inputs(self) -> list[str]:
        """The inputs of cells: the shapes where batches of 1 are asked for, then the larger ones, which are static."""
        return (self.shapes if 1 in self.batches else []) + _batched(self.several)

    @property
    def torch_inputs(self) -> list[str]:
        """The inputs that torch is timed with beside batches; [] where there are none."""
        return _batched(self.batches) if self.several else []

    @property
    def matrix(self) -> list[tuple[str, str, str]]:
        """Model, precision and input of each cell of the backend, those to skip among them."""
        return list(product(self.models, self.precisions, self.inputs))

    @property
    def wanted(self) -> list[tuple[str, str, str]]:
        return [cell for cell in self.matrix if "-".join(cell) not in self.skip]

    @property
    def cells(self) -> list[str]:
        return list(map("-".join, self.wanted))

    @property
    def paired(self) -> list[str]:
        """The INT8 cells whose FP16 twin is measured, too."""
        wanted = set(self.wanted)
        return ["-".join(cell) for cell in self.wanted if cell[1] == "int8" and (cell[0], "fp16", cell[2]) in wanted]

    @property
    def with_accuracy(self) -> list[str]:
        """The cells that have a mAP, which are those of batch 1."""
        trained = set(self.trained)
        return ["-".join(cell) for cell in self.wanted if cell[0] in trained and cell[2] in self.shapes]

    @property
    def suffixes(self) -> list[str]:
        """What the files of each build of an engine have after their names: nothing, .2, .3."""
        return ["", *(f".{number}" for number in range(2, self.builds + 1))]

    @property
    def trained(self) -> list[str]:
        """The models whose weights mean something, so that there is a mAP to measure."""
        return [name for name, model in self.models.items() if model.weights != "random"]

    @property
    def torch_models(self) -> list[str]:
        """The models that torch is measured with, too: those that came as a checkpoint, where it is wanted."""
        return [name for name, model in self.models.items() if self.torch and not model.onnx]

    def planned(self, backend: str) -> list[Cell]:
        """List the cells of the backend and those of torch, as the table's rows and columns need them."""
        torch = [("fp16", "dynamic"), ("fp32", "dynamic"), *(("fp16", input) for input in self.torch_inputs)]
        cells = [(backend, *cell) for cell in self.wanted]
        cells += [("torch", model, *how) for model in self.torch_models for how in torch]
        return [Cell.at(*cell) for cell in cells]

    @property
    def experiment(self) -> dict[str, Any]:
        """What the table is made from: rows, columns, and what its foot says."""
        asked = {key: getattr(self, key) for key in ("precisions", "shapes", "skip", "imgsz", "accuracy", "speed")}
        models = {name: {key: value for key, value in vars(model).items() if value is not None}
                  for name, model in self.models.items()}  # fmt: skip
        batches = {"batches": self.batches} if self.several else {}
        return {"models": models, "torch": bool(self.torch_models), **asked, **batches}


def _batched(batches: list[int]) -> list[str]:
    return ["static" if batch == 1 else f"static{BATCH}{batch}" for batch in batches]


PARTS = {"dataset": DataSet, "int8": Int8, "sources": Sources, **dict.fromkeys(Sources.__annotations__, Source)}
NAMED = {"models": Model, "foreign": Foreign}  # several, each by its name


def decode(config: Mapping[str, Any], kind: type = Settings) -> Any:
    """Take the settings out of a config, or those of a part of it, that its schema allows."""
    return kind(**{name: _decoded(name, config[name]) for name in kind.__dataclass_fields__ if name in config})


def _decoded(name: str, value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    if name in NAMED:
        return {key: decode(one, NAMED[name]) for key, one in value.items()}
    return decode(value, PARTS[name]) if name in PARTS else value
