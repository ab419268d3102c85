"""Eight bits in one convolution of a detector at a time: only what depends on it is computed anew."""

from collections.abc import Callable, Collection

import numpy as np
from onnx import ModelProto

from speedmap.graph import parts
from speedmap.graph.detector_graph import OUTPUT, Graph
from speedmap.graph.onnx_runtime import session


class Scan:
    """The tensors of a float32 detector for some inputs, as far as convolutions that are still to come need them.

    rounded: names the tensors that are rounded for a convolution.
    """

    def __init__(self, model: ModelProto, batches: list[np.ndarray], rounded: Callable[[str], Collection[str]]) -> None:
        self.model, self.graph = model, Graph(model)
        self.values = [{self.graph.image: batch} for batch in batches]
        weights = {tensor.name for tensor in model.graph.initializer}
        self.made, self.needed = {}, {}  # what depends on a convolution's input, and from what it can be computed
        for conv in self.graph.convs:
            nodes = parts.depending(model.graph.node, rounded(conv))
            self.made[conv] = {name for node in nodes for name in node.output}
            self.needed[conv] = [name for name in parts.read(nodes) if name not in weights]

    def outputs(self, conv: str, quantized: ModelProto) -> list[np.ndarray]:
        """Compute the outputs of the model with a convolution in eight bits; ask for those in the order they run."""
        self._compute(self.needed[conv])
        same = self.graph.producers.keys() - self.made.pop(conv)
        nodes = [node for node in quantized.graph.node if same.isdisjoint(node.output)]
        outputs = [output for (output,) in self._run(quantized, nodes, [OUTPUT])]
        del self.needed[conv]
        return outputs

    def _compute(self, tensors: list[str]) -> None:
        """Compute tensors from those that are there, and drop those that no convolution needs any more."""
        missing = [name for name in tensors if name not in self.values[0]]
        if missing:
            nodes = parts.leading(self.model.graph.node, missing, self.values[0])
            for values, results in zip(self.values, self._run(self.model, nodes, missing), strict=True):
                values.update(zip(missing, results, strict=True))
        needed = {self.graph.image}.union(*self.needed.values())
        self.values = [{name: value for name, value in values.items() if name in needed} for values in self.values]

    def _run(self, model: ModelProto, nodes: list, outputs: list[str]) -> list[list[np.ndarray]]:
        part = parts.part(model, nodes, outputs)
        graph, inputs = session(part.SerializeToString()), [value.name for value in part.graph.input]
        return [graph.run(outputs, {name: values[name] for name in inputs}) for values in self.values]
