"""How SiLU next to a convolution in float is written for TensorRT 8.6."""

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from speedmap.engines.tensorrt.weak_typing import in_eight_bits, replace_nodes, types_of


def apart(model: ModelProto) -> ModelProto:
    """Copy a typed graph with SiLU between a float convolution and a rounding as x / 2 + x / 2 * tanh(x / 2).

    It is the same function, but TensorRT 8.6 takes x * sigmoid(x) into such a convolution, for which it then has
    float32 kernels alone.
    """
    twin = ModelProto()
    twin.CopyFrom(model)
    eight = {name for node in twin.graph.node if node.op_type == "DequantizeLinear" for name in node.output}
    makers = {name: node for node in twin.graph.node for name in node.output}
    readers: dict[str, list[str]] = {}
    for node in twin.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node.op_type)
    kinds, kept = types_of(twin), []
    for node in twin.graph.node:
        source = _silu_input(node, makers)
        float_conv = source in makers and makers[source].op_type == "Conv" and not in_eight_bits(makers[source], eight)
        rounded = set(readers.get(node.output[0], ())) == {"QuantizeLinear"}
        kept += _tanh_form(twin.graph, node, source, kinds[source]) if float_conv and rounded else [node]
    used = {name for node in kept for name in node.input} | {info.name for info in twin.graph.output}
    replace_nodes(twin, [node for node in kept if node.op_type != "Sigmoid" or node.output[0] in used])
    return twin


def _silu_input(node: NodeProto, makers: dict[str, NodeProto]) -> str | None:
    """Return x of a node that is x * sigmoid(x), None for another."""
    if node.op_type != "Mul":
        return None
    pairs = (node.input, tuple(reversed(node.input)))
    return next((x for x, gate in pairs if gate in makers and makers[gate].op_type == "Sigmoid"
                 and makers[gate].input[0] == x), None)  # fmt: skip


def _tanh_form(graph: GraphProto, node: NodeProto, source: str, kind: int) -> list[NodeProto]:
    half, gate, part, constant = (f"{node.output[0]}_{name}" for name in ("half", "tanh", "part", "constant"))
    value = np.array(0.5, np.float16 if kind == TensorProto.FLOAT16 else np.float32)
    graph.initializer.append(numpy_helper.from_array(value, constant))
    return [
        helper.make_node("Mul", [source, constant], [half], name=half),
        helper.make_node("Tanh", [half], [gate], name=gate),
        helper.make_node("Mul", [half, gate], [part], name=part),
        helper.make_node("Add", [half, part], node.output, name=node.name),
    ]
