"""The range of what SiLU gives, split over two copies of its channels: eight bits take half the step.

silu(x) is nearly min(silu(x), r) + silu(x - r), off by 0.28 at most where x is about r. The first copy saturates at r,
where it is rounded; the second, the same convolution with r taken off its bias, holds the rest. What reads them adds
both with the same weights. Linear layers have it as outlier channel splitting (R. Zhao et al., ICML 2019).
"""

from collections.abc import Collection, Mapping

import numpy as np
from onnx import ModelProto, NodeProto

from speedmap.graph.detector_graph import Graph
from speedmap.quantization import ranges

METHOD = "split"
FILLED = 32  # channels that TensorRT's eight-bit kernels fill up to with zeros
INPUTS = np.linspace(-1.27, 30, 3128)  # of SiLU, from its least value to where it changes nothing
OUTPUTS = INPUTS / (1 + np.exp(-INPUTS))


def splittable(graph: Graph, tensor: str, in_float: Collection[str]) -> bool:
    """Return whether a tensor is a convolution's SiLU that convolutions alone read, all of them in eight bits."""
    maker, readers = graph.activated(tensor), graph.consumers[tensor]
    if maker is None or {node.op_type for node in graph.consumers[maker.output[0]]} != {"Sigmoid", "Mul"}:
        return False
    if any(node.op_type != "Conv" for node in readers) or any(map(_grouped, (maker, *readers))):
        return False
    return not {maker.name, *(node.name for node in readers)} & {*in_float}


def costless(graph: Graph, tensor: str) -> bool:
    """Return whether the copies of a tensor's channels take the place of zeros."""
    return 2 * len(graph.weight(graph.activated(tensor).name)) <= FILLED


def fixed(graph: Graph, ranges_of: Mapping[str, str]) -> set[str]:
    """Name the convolutions that make and read split tensors, which must stay in eight bits."""
    split = [tensor for tensor, method in ranges_of.items() if method == METHOD]
    ends = [node for tensor in split for node in (graph.activated(tensor), *graph.consumers[tensor])]
    return {node.name for node in ends}


def _grouped(conv: NodeProto) -> bool:
    return any(attribute.name == "group" and attribute.i != 1 for attribute in conv.attribute)


def scale(histogram: ranges.Histogram, signed: bool) -> ranges.Scale:
    """Choose the scale of two copies whose sum changes the values least, in the mean of squares."""
    used = np.flatnonzero(histogram.counts)
    counts, values = histogram.counts[used].astype(float), histogram.centres[used]
    tried = [ranges.scale(0.0, histogram.high * clip, signed) for clip in ranges.CLIPS / 2]
    return min(tried, key=lambda scale: float(counts @ np.square(_sum(values, scale) - values)))


def _sum(values: np.ndarray, first: ranges.Scale) -> np.ndarray:
    """Return what two rounded copies of values of SiLU add up to."""
    rest = np.maximum(np.interp(values, OUTPUTS, INPUTS), values) - _reach(first)
    return first.round(values) + first.round(rest / (1 + np.exp(-rest)))


def _reach(scale: ranges.Scale) -> float:
    return scale.step * scale.limits[1]


def split(model: ModelProto, tensor: str, maker: str, first: ranges.Scale) -> None:
    """Double the channels of a rounded tensor in a model with Q/DQ.

    maker: the convolution whose SiLU it is. first: the scale that it is rounded on.
    """
    graph = Graph(model)
    _double(graph, maker, 0)
    conv = graph.convs[maker]
    bias = graph.constant(conv.input[2])
    conv.input[2] = f"{maker}/bias"
    graph.put(conv.input[2], np.concatenate([bias, bias - _reach(first)]).astype(bias.dtype))
    for reader in graph.convs.values():
        if reader.input[0] == f"{tensor}/rounded":
            _double(graph, reader.name, 1)
    changed = {tensor, *graph.producers[tensor].input, *conv.output}
    shapes = [value for value in model.graph.value_info if value.name not in changed]
    del model.graph.value_info[:]
    model.graph.value_info.extend(shapes)


def _double(graph: Graph, conv: str, axis: int) -> None:
    """Repeat a convolution's weights along an axis, rounded or in float."""
    node, own = graph.convs[conv], f"{conv}/weight"
    if node.input[1] in graph.producers:
        for name in (own, *((f"{own}/scale", f"{own}/zero") if axis == 0 else ())):
            graph.put(name, np.concatenate([graph.constant(name)] * 2, axis))
    else:
        graph.put(own, np.concatenate([graph.weight(conv)] * 2, axis))
        node.input[1] = own  # others may read the same one
