"""A cell of the matrix: one model in one precision and input shape on one backend."""

from dataclasses import asdict, dataclass
from typing import Literal

FOLDER = "results/{backend}/{model}-{precision}-{shape}"  # the one grammar of paths; rules, table and records share it


@dataclass(frozen=True, order=True)
class Cell:
    """Names a cell; `precision` is the one that was asked for, which is not always the one that runs."""

    backend: str
    model: str
    precision: Literal["fp32", "fp16", "int8"]
    shape: Literal["static", "dynamic"]

    @classmethod
    def of(cls, wildcards: object) -> "Cell":
        """Take a cell from a job's wildcards, whatever others there are."""
        return cls(wildcards.backend, wildcards.model, wildcards.precision, wildcards.shape)

    @property
    def name(self) -> str:
        return f"{self.model}-{self.precision}-{self.shape}"

    @property
    def folder(self) -> str:
        return FOLDER.format(**asdict(self))
