"""The layers of a YOLOv5 in an ONNX graph, found by how they hang together, whatever exporters name them."""

import numpy as np
from onnx import NodeProto

from speedmap.graph import parts
from speedmap.graph.detector_graph import Graph, GraphError

ONLY = "only YOLOv5 v5.0 to v7.0 with three strides is supported"


class Layers:
    """Follows the layers from the head up to the image, and keeps their convolutions by the official names.

    Raises GraphError, naming the layer, where something else stands.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.convs: dict[str, NodeProto] = {}
        fine, middle, coarse = self._head()
        down, deep = self._join("model.22", self._c3(23, coarse), 2)
        self._conv("model.21", down)
        down, waist = self._join("model.19", self._c3(20, middle), 2)
        self._conv("model.18", down)
        _up, early = self._join("model.16", self._c3(17, fine), 2)
        _up, half = self._join("model.12", self._c3(13, self._conv("model.14", waist)), 2)
        self._c3(2, self._conv("model.3", self._c3(4, early)))
        self._conv("model.5", self._c3(6, half))
        last = self._conv("model.10", deep)
        pooled = self._is_pyramid(last)
        before = self._c3(8, self._pyramid(9, last)) if pooled else self._pyramid(8, self._c3(9, last))
        self._conv("model.7", before)
        self._stem()

    def _stem(self) -> None:
        image = self._conv("model.0", self._conv("model.1", self.convs["model.2.cv1"].input[0]))
        if self._op(image) == "Concat":  # of v5.0's Focus
            self.convs["model.0.conv"] = self.convs.pop("model.0")

    def tensors(self) -> dict[str, np.ndarray]:
        """Return weights and biases, float32, by the names of a fused state dict."""
        held = {}
        for name, node in self.convs.items():
            own = name if name.startswith("model.24") else f"{name}.conv"
            held[f"{own}.weight"], held[f"{own}.bias"] = (
                self.graph.constant(tensor).astype(np.float32) for tensor in node.input[1:3]
            )
        return held

    def _head(self) -> list[str]:
        """Return the features at the three strides, the finest first, of which the others are made."""
        heads = [self.graph.convs[name] for name in self.graph.head]
        if len(heads) != 3:
            known = {4: "a P6 network", 6: "a YOLOv8 or one of its kin", 9: "of another package"}.get(
                len(heads), "another"
            )
            raise GraphError(f"has {len(heads)} convolutions in its head, not 3: it is {known}; {ONLY}")
        heads.sort(key=lambda node: len(parts.leading(self.graph.proto.node, [node.input[0]], ())))
        self.convs |= {f"model.24.m.{level}": node for level, node in enumerate(heads)}
        return [node.input[0] for node in heads]

    def _conv(self, name: str, tensor: str) -> str:
        """Keep the convolution whose SiLU a tensor is; returns what it reads."""
        self.convs[name] = self._activated(name, tensor)
        return self.convs[name].input[0]

    def _activated(self, name: str, tensor: str) -> NodeProto:
        node = self.graph.activated(tensor)
        if node is None:
            raise GraphError(f"{name} is {self._op(tensor)} where a YOLOv5 has a convolution with SiLU; {ONLY}")
        return node

    def _join(self, name: str, tensor: str, count: int) -> list[str]:
        node = self.graph.producers.get(tensor)
        if node is None or node.op_type != "Concat" or len(node.input) != count:
            raise GraphError(f"{name} is {self._op(tensor)} where a YOLOv5 joins {count} tensors; {ONLY}")
        return list(node.input)

    def _c3(self, layer: int, tensor: str) -> str:
        """Keep the convolutions of a C3 block; returns what it reads."""
        name = f"model.{layer}"
        inner, passed = self._join(name, self._conv(f"{name}.cv3", tensor), 2)
        source, blocks = self._conv(f"{name}.cv2", passed), []
        while (first := self.graph.activated(inner)) is None or first.input[0] != source:
            outer = self._activated(f"{name}.m", self._computed(inner))
            blocks.append((self._activated(f"{name}.m", outer.input[0]), outer))
            inner = blocks[-1][0].input[0]
        for index, pair in enumerate(reversed(blocks)):
            self.convs |= dict(zip((f"{name}.m.{index}.cv1", f"{name}.m.{index}.cv2"), pair, strict=True))
        return self._conv(f"{name}.cv1", inner)

    def _computed(self, tensor: str) -> str:
        """Return what a residual addition adds to what it passes by; the tensor itself where it is none."""
        node = self.graph.producers.get(tensor)
        for shortcut, fresh in (tuple(node.input), tuple(node.input)[::-1]) if node and node.op_type == "Add" else ():
            second = self.graph.activated(fresh)
            first = self.graph.activated(second.input[0]) if second else None
            if first and first.input[0] == shortcut:
                return fresh
        return tensor

    def _is_pyramid(self, tensor: str) -> bool:
        node = self.graph.activated(tensor)
        joined = self.graph.producers.get(node.input[0]) if node else None
        return joined is not None and len(joined.input) == 4

    def _pyramid(self, layer: int, tensor: str) -> str:
        name = f"model.{layer}"
        first, *_pools = self._join(name, self._conv(f"{name}.cv2", tensor), 4)
        return self._conv(f"{name}.cv1", first)

    def _op(self, tensor: str) -> str:
        node = self.graph.producers.get(tensor)
        return node.op_type if node else "an input"
