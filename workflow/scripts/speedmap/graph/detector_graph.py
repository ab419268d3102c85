"""Questions about the ONNX graph of a detector: its convolutions, its head, and where tensors come from."""

import json
from collections import defaultdict
from collections.abc import Mapping
from functools import cached_property
from typing import NamedTuple

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from speedmap.errors import UserError

INPUT, OUTPUT = "images", "output"  # names in every ONNX graph
COMMUTING = ("Concat", "MaxPool", "Resize")  # that only move or select values, which eight bits pass unchanged
NOTE = "speedmap"  # key of a graph's metadata


class GraphError(UserError):
    """A graph that is no detector of the kind expected; the message names the cause and the remedy."""


class Residual(NamedTuple):
    """A residual addition: the tensor passed by, what is added to it, and the convolution that this comes from."""

    shortcut: str
    fresh: str
    conv: str


class Graph:
    """An ONNX graph with its edges looked up by name, as they were at first: what is redirected later does not show."""

    def __init__(self, model: ModelProto) -> None:
        self.proto: GraphProto = model.graph
        self.producers = {name: node for node in self.proto.node for name in node.output}
        self.consumers: Mapping[str, list[NodeProto]] = defaultdict(list)
        for node in self.proto.node:
            for name in dict.fromkeys(node.input):
                self.consumers[name].append(node)

    @property
    def image(self) -> str:
        """Name the graph's input."""
        return self.proto.input[0].name

    @property
    def dynamic(self) -> bool:
        """Return whether the input's height and width are free."""
        return not self.proto.input[0].type.tensor_type.shape.dim[2].dim_value

    @cached_property
    def convs(self) -> dict[str, NodeProto]:
        """All convolutions by name, in the order in which they run."""
        return {node.name: node for node in self.proto.node if node.op_type == "Conv"}

    @cached_property
    def head(self) -> list[str]:
        """Name the convolutions after which no other comes, one a stride; GraphError when nothing is before them."""
        before, last = set(), []  # the tensors that convolutions depend on, found from the end
        for node in reversed(self.proto.node):
            follows = before.intersection(node.output)
            if node.op_type == "Conv" and not follows:
                last.append(node.name)
            if node.op_type == "Conv" or follows:
                before.update(node.input)
        if not last or len(last) == len(self.convs):
            raise GraphError(
                f"{self.proto.name or 'the graph'}: no detection head after its {len(self.convs)} convolutions; only "
                "the ONNX of a YOLOv5 detector can be given a precision"
            )
        return last[::-1]

    def following(self, node: NodeProto) -> list[str]:
        """Name the convolutions that read what a node gives, with no other convolution in between."""
        stack, seen = [node], {}
        while stack:
            for reader in (reader for name in stack.pop().output for reader in self.consumers[name]):
                if reader.name not in seen:
                    seen[reader.name] = reader.op_type
                    stack += [reader] if reader.op_type != "Conv" else []
        return [name for name, kind in seen.items() if kind == "Conv"]

    @cached_property
    def first(self) -> list[str]:
        """Name the convolutions that read the image."""
        return [name for name, conv in self.convs.items() if conv.input[0] == self.image]

    @cached_property
    def second(self) -> list[str]:
        """Name the convolutions that read what those of the image give."""
        return [name for first in self.first for name in self.following(self.convs[first])]

    @cached_property
    def _initializers(self) -> dict[str, TensorProto]:
        return {tensor.name: tensor for tensor in self.proto.initializer}

    def constant(self, name: str) -> np.ndarray:
        """Return an initializer's values; GraphError when there is none of the name."""
        try:
            return numpy_helper.to_array(self._initializers[name])
        except KeyError as error:
            raise GraphError(f"{name}: no initializer; export the ONNX with constant weights and biases") from error

    def weight(self, conv: str) -> np.ndarray:
        """Return a convolution's weights [out, in, h, w]."""
        return self.constant(self.convs[conv].input[1])

    def put(self, name: str, value: np.ndarray) -> None:
        """Change an initializer's values, or add it."""
        if name not in self._initializers:
            self._initializers[name] = self.proto.initializer.add()
        self._initializers[name].CopyFrom(numpy_helper.from_array(value, name))

    def commutes(self, node: NodeProto | None) -> bool:
        """Return whether a node only moves or selects values."""
        return node is not None and node.op_type in COMMUTING

    def parts(self, tensor: str) -> list[str]:
        """Name what a tensor is joined, pooled or upsampled from in one step; nothing when it is computed."""
        node = self.producers.get(tensor)
        if not self.commutes(node):
            return []
        return list(node.input) if node.op_type == "Concat" else [node.input[0]]

    def sources(self, tensor: str) -> list[str]:
        """Name the computed tensors that a tensor is joined, pooled or upsampled from; itself when it is one."""
        parts = self.parts(tensor)
        return list(dict.fromkeys(name for part in parts for name in self.sources(part))) if parts else [tensor]

    def between(self, tensor: str) -> list[str]:
        """Name the tensors on the way from a tensor, itself included, to its sources, these excluded."""
        parts = self.parts(tensor)
        return list(dict.fromkeys([tensor, *(name for part in parts for name in self.between(part))])) if parts else []

    @cached_property
    def read(self) -> list[str]:
        """Name the tensors that convolutions read, the sources of those, and what residuals add."""
        inputs = [conv.input[0] for conv in self.convs.values()]
        names = [name for tensor in inputs for name in (tensor, *self.sources(tensor))]
        return list(dict.fromkeys([*names, *(residual.fresh for residual in self.residuals)]))

    @cached_property
    def residuals(self) -> list[Residual]:
        """Find the additions of a tensor and of what two convolutions in a row, each with SiLU, make of it."""
        pairs = [(node, *order) for node in self.proto.node if node.op_type == "Add"
                 for order in (tuple(node.input), tuple(node.input)[::-1])]  # fmt: skip
        return [Residual(shortcut, fresh, second.name) for node, shortcut, fresh in pairs
                if (second := self.activated(fresh)) and (first := self.activated(second.input[0]))
                and first.input[0] == shortcut and self.consumers[fresh] == [node]]  # fmt: skip

    def activated(self, tensor: str) -> NodeProto | None:
        """Return the convolution whose SiLU, x * sigmoid(x), a tensor is."""
        product = self.producers.get(tensor)
        if product is None or product.op_type != "Mul":
            return None
        makers = {name: self.producers.get(name) for name in product.input}
        gates = {node.input[0] for node in makers.values() if node is not None and node.op_type == "Sigmoid"}
        convs = [node for name, node in makers.items() if node is not None and node.op_type == "Conv" and name in gates]
        return convs[0] if convs else None


def note(model: ModelProto, facts: dict) -> None:
    """Keep JSON facts on how a graph was made in the graph itself."""
    helper.set_model_props(model, {NOTE: json.dumps(facts)})


def noted(model: ModelProto) -> dict:
    """Return the facts that were kept in a graph; {} when there are none."""
    return json.loads({entry.key: entry.value for entry in model.metadata_props}.get(NOTE, "{}"))
