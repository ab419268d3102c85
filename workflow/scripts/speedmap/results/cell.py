"""A cell of the matrix: one model in one precision and input shape on one backend."""

import re
from dataclasses import dataclass
from typing import Literal

FOLDER = "results/{backend}/{name}"  # the one grammar of paths; rules, table and records share it
BATCH = "-b"  # between the shape and the images of a batch
TITLE = re.compile(r"(\w+)/(.+)-(fp32|fp16|int8)-((?:static|dynamic)(?:-b\d+)?)")


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

    @classmethod
    def titled(cls, title: str) -> "Cell":
        """Take a cell from its title, `openvino/yolov5s-int8-static-b8`; ValueError for what is none."""
        if match := TITLE.fullmatch(title):
            return cls.at(*match.groups())
        raise ValueError(f"{title!r} is no cell")

    @property
    def input(self) -> str:
        """The input as paths name it: the shape, and the batch where it is not 1."""
        return self.shape if self.batch == 1 else f"{self.shape}{BATCH}{self.batch}"

    @property
    def name(self) -> str:
        return f"{self.model}-{self.precision}-{self.input}"

    @property
    def title(self) -> str:
        """The cell's name with its backend."""
        return f"{self.backend}/{self.name}"

    @property
    def folder(self) -> str:
        return FOLDER.format(backend=self.backend, name=self.name)
