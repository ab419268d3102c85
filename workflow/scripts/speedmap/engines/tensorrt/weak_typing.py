"""The float32 twin of a typed ONNX file, for a TensorRT that takes types from flags and not from the file (8.6).

The parser of 8.6 reads every quantization scale as float32, and its builder wants a quantized weight as Q and DQ after
a float one; float16 casts in the file would keep it from fusing. So it gets the graph in float32, and the flags and
the layers pinned to float32 and float16 say what the types said.
"""

import numpy as np
import onnx
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

OPSET = 17  # the last that the parser of 8.6 knows; nothing newer is left once the scales are float32
UNPINNED = {"Cast", "QuantizeLinear", "DequantizeLinear", "Constant"}


def quantized(model: ModelProto) -> bool:
    """Return whether a graph holds Q/DQ nodes."""
    return any(node.op_type == "QuantizeLinear" or node.op_type == "DequantizeLinear" for node in model.graph.node)


def halved(model: ModelProto) -> bool:
    """Return whether anything in a graph is typed float16."""
    casts = (_target(node) for node in model.graph.node if node.op_type == "Cast")
    return TensorProto.FLOAT16 in {tensor.data_type for tensor in model.graph.initializer} | set(casts)


def float_tensors(model: ModelProto) -> set[str]:
    """Name the tensors that nodes of a typed graph compute in float32, while others of it are float16 or int8."""
    return _computed(model, TensorProto.FLOAT)


def half_tensors(model: ModelProto, needed: bool = False) -> set[str]:
    """Name the tensors that nodes of a typed graph compute in float16, its outputs apart.

    Not convolutions of quantized tensors and weights; nor what comes between one of the image and the next
    quantization: TensorRT 8.6 knows it only fused into one kernel that gives eight bits. needed: nor what lies between
    any of those and the next quantization.
    """
    graph = model.graph
    eight = {name for node in graph.node if node.op_type == "DequantizeLinear" for name in node.output}
    fused = {name for node in graph.node if in_eight_bits(node, eight) for name in node.output}
    left = (_inner(graph, eight, fused) if needed else set()) | fused | _stem(graph, eight)
    return _computed(model, TensorProto.FLOAT16) - left - {info.name for info in graph.output}


def in_eight_bits(node: NodeProto, eight: set[str]) -> bool:
    return node.op_type == "Conv" and eight.issuperset(node.input[:2])


def _inner(graph: GraphProto, eight: set[str], fused: set[str]) -> set[str]:
    """Name what is computed of eight-bit tensors and convolutions alone and read by nothing but further roundings."""
    inner, constant = set(fused), {tensor.name for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type not in (*UNPINNED, "Conv") and (eight | inner | constant).issuperset(filter(None, node.input)):
            inner.update(node.output)
    for node in reversed(graph.node):
        if node.op_type != "QuantizeLinear" and not inner.intersection(node.output):
            inner.difference_update(node.input)
    return inner


def rounding(model: ModelProto) -> set[str]:
    """Name what (de)quantizes float16 tensors in a typed graph, weights apart: the outputs of those nodes."""
    kinds, constant = types_of(model), {tensor.name for tensor in model.graph.initializer}
    names = set()
    for node in model.graph.node:
        if node.op_type in ("QuantizeLinear", "DequantizeLinear") and node.input[0] not in constant:
            made = node.output[0] if node.op_type == "DequantizeLinear" else node.input[0]
            names.update(node.output if kinds.get(made) == TensorProto.FLOAT16 else ())
    return names


def _computed(model: ModelProto, kind: int) -> set[str]:
    """Name the tensors of a type that nodes compute, other than by casts and roundings."""
    kinds = types_of(model)
    names = (name for node in model.graph.node if node.op_type not in UNPINNED for name in node.output)
    return {name for name in names if kinds.get(name) == kind}


def _stem(graph: GraphProto, eight: set[str]) -> set[str]:
    """Name what a convolution of the image in eight bits gives, and what is computed of it before it is quantized."""
    image, stem = {graph.input[0].name}, set()
    for node in graph.node:
        read = set(node.input)
        if node.op_type in UNPINNED:
            image.update(node.output if read & image else ())
        elif read & stem or read & image & eight:
            stem.update(node.output)
    return stem


def widen(model: ModelProto) -> ModelProto:
    """Copy a typed graph with every float16 made float32, float casts gone and weights quantized in the graph."""
    twin = ModelProto()
    twin.CopyFrom(model)
    for entry in twin.opset_import:
        entry.version = min(entry.version, OPSET)
    graph = twin.graph
    kinds = types_of(model)
    for tensor in graph.initializer:
        _widen_tensor(tensor)
    for node in graph.node:
        _widen_attributes(node)
    for info in (*graph.input, *graph.output):
        if info.type.tensor_type.elem_type == TensorProto.FLOAT16:
            info.type.tensor_type.elem_type = TensorProto.FLOAT
    del graph.value_info[:]
    _drop_casts(twin, kinds)
    _quantize_weights(twin)
    return twin


def types_of(model: ModelProto) -> dict[str, int]:
    graph = onnx.shape_inference.infer_shapes(model).graph
    known = {info.name: info.type.tensor_type.elem_type for info in (*graph.value_info, *graph.input, *graph.output)}
    return known | {tensor.name: tensor.data_type for tensor in graph.initializer}


def _widen_tensor(tensor: TensorProto) -> None:
    if tensor.data_type == TensorProto.FLOAT16:
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float32), tensor.name))


def _widen_attributes(node: NodeProto) -> None:
    for attribute in node.attribute:
        if attribute.type == AttributeProto.TENSOR:
            _widen_tensor(attribute.t)
        elif node.op_type == "Cast" and attribute.name == "to" and attribute.i == TensorProto.FLOAT16:
            attribute.i = TensorProto.FLOAT


def _drop_casts(model: ModelProto, kinds: dict[str, int]) -> None:
    """Remove casts between float types, which have become copies; one that makes a graph output stays as identity."""
    floats, outputs = {TensorProto.FLOAT, TensorProto.FLOAT16}, {info.name for info in model.graph.output}
    source: dict[str, str] = {}
    kept = []
    for node in model.graph.node:
        node.input[:] = [source.get(name, name) for name in node.input]
        idle = node.op_type == "Cast" and {kinds.get(node.input[0]), _target(node)} <= floats
        if idle and node.output[0] not in outputs:
            source[node.output[0]] = node.input[0]
        elif idle:
            kept.append(helper.make_node("Identity", node.input, node.output, name=node.name))
        else:
            kept.append(node)
    replace_nodes(model, kept)


def _target(node: NodeProto) -> int:
    return next(attribute.i for attribute in node.attribute if attribute.name == "to")


def _quantize_weights(model: ModelProto) -> None:
    """Put float32 weights and a Q before every DQ of an int8 initializer; the Q gives the same integers back."""
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    kept = []
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in tensors:
            kept.append(_quantize(model, node, tensors))
        kept.append(node)
    replace_nodes(model, kept)
    used = {name for node in kept for name in node.input}
    for name in tensors.keys() - used:
        model.graph.initializer.remove(tensors[name])


def _quantize(model: ModelProto, node: NodeProto, tensors: dict[str, TensorProto]) -> NodeProto:
    name, scale_name = node.input[0], node.input[1]
    integers, scale = (numpy_helper.to_array(tensors[key]) for key in (name, scale_name))
    axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 1)
    shape = [-1 if index == axis else 1 for index in range(integers.ndim)] if scale.size > 1 else []
    weights = integers.astype(np.float32) * scale.astype(np.float32).reshape(shape)
    model.graph.initializer.append(numpy_helper.from_array(weights, f"{node.output[0]}_float"))
    node.input[0] = f"{node.output[0]}_int8"
    attributes = {"axis": axis} if scale.size > 1 else {}
    return helper.make_node("QuantizeLinear", [f"{node.output[0]}_float", *node.input[1:]], [node.input[0]],
                            name=f"{node.name or node.output[0]}_quantize", **attributes)  # fmt: skip


def replace_nodes(model: ModelProto, nodes: list[NodeProto]) -> None:
    copies = [NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(copies)
