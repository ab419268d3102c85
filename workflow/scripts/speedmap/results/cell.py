"""A cell of the matrix: one model in one precision and input shape on one backend."""

from dataclasses import dataclass
from typing import Literal

FOLDER = "results/{backend}/{name}"  # the one grammar of paths; rules, table and records share it
BATCH = "-b"  # between the shape and the images of a batch


@dataclass(frozen=True, order=True)
class Cell:
    """Names a cell; `precision` is the one that was asked for, which is not always the one that runs.

    batch: images that its engine takes at a time; only static engines take several.
    """

    backend: str
    model: str
    precision: Literal["fp32", "fp16", "int8"]
    shape: Literal["static", "dynamic"]
    batch: int = 1

    @classmethod
    def of(cls, wildcards: object) -> "Cell":
        """Take a cell from a job's wildcards, whatever others there are."""
        return cls.at(wildcards.backend, wildcards.model, wildcards.precision, wildcards.shape)

    @classmethod
    def at(cls, backend: str, model: str, precision: str, input: str) -> "Cell":
        """Take a cell from the parts of its path, of which the last is `static`, `dynamic` or `static-b8`."""
        shape, _, batch = input.partition(BATCH)
        return cls(backend, model, precision, shape, int(batch or 1))

    @property
    def input(self) -> str:
        """The input as paths name it: the shape, and the batch where it is not 1."""
        return self.shape if self.batch == 1 else f"{self.shape}{BATCH}{self.batch}"

    @property
    def name(self) -> str:
        return f"{self.model}-{self.precision}-{self.input}"

    @property
    def folder(self) -> str:
        return FOLDER.format(backend=self.backend, name=self.name)
