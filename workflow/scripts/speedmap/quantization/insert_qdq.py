"""Eight bits written into a float32 graph: QuantizeLinear and DequantizeLinear before its convolutions."""

from collections.abc import Iterable

import numpy as np
import onnx
from onnx import NodeProto, helper

from speedmap.graph.detector_graph import Graph
from speedmap.quantization import ranges, weight_rounding
from speedmap.quantization.calibration import Statistics
from speedmap.quantization.qdq_plan import CONVENTIONS, SharedScale, plan

DEFAULTS = {"images": None, "range": "power", "bias_correction": True, "compensate": True, "target": 0,
            "least_share": 0.9, "scan": 8}  # of the config's section `int8`, which its schema explains  # fmt: skip


def quantize(
    model: onnx.ModelProto, statistics: Statistics, keep_float: Iterable[str], dialect: str, options: dict
) -> onnx.ModelProto:
    """Give a copy of a float32 detector in which all convolutions but `keep_float` compute in eight bits.

    dialect: "tensorrt" or "openvino". options: those of DEFAULTS, which stand for absent ones. Raises SiteError when
    the statistics are another model's.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph, options, kept = Graph(result), DEFAULTS | options, set(keep_float)
    convs = [name for name in graph.convs if name not in kept]
    sites = plan(graph, statistics, convs, CONVENTIONS[dialect], ranges.METHODS[options["range"]])
    nodes: list[NodeProto] = []
    for site in sites:
        for name in site.convs:
            nodes += _weight(graph, name, statistics, site.scale.middle if site.shifted else 0, options)
        nodes += _activations(graph, site, CONVENTIONS[dialect].bracketed)
        _redirect(graph, site, CONVENTIONS[dialect].bracketed)
    _insert(result, nodes)
    return result


def _weight(graph: Graph, conv: str, statistics: Statistics, middle: float, options: dict) -> list[NodeProto]:
    """Round a convolution's weights per output channel.

    Its bias makes up for what that changes on average, and for inputs that are less by `middle`. Both get new names,
    since simplified graphs share initializers that are equal.
    """
    (tensor, _, bias), weight = graph.convs[conv].input, graph.weight(conv)
    steps = weight_rounding.steps(weight)
    value = weight_rounding.nearest(weight, steps).astype(np.float32)
    mean, covariance = statistics.under(conv, tensor, weight.shape[2:])
    if options["compensate"] and covariance is not None:
        value = weight_rounding.gptq(weight.reshape(len(weight), -1), steps, covariance).reshape(weight.shape)
    shift = value.sum((1, 2, 3)) * middle
    if options["bias_correction"]:
        shift = shift + (weight - value).reshape(len(weight), -1) @ mean
    graph.add(f"{conv}/weight", value)
    graph.add(f"{conv}/bias", (graph.constant(bias) + shift).astype(np.float32))
    graph.convs[conv].input[1:] = [rounded(f"{conv}/weight"), f"{conv}/bias"]
    return _pair(graph, f"{conv}/weight", steps, np.zeros(len(steps), np.int8))


def _activations(graph: Graph, site: SharedScale, bracketed: bool) -> list[NodeProto]:
    """Make the nodes that round a site's tensors."""
    step, middle = np.array(site.scale.step, np.float32), site.scale.middle
    zero = np.array(site.scale.zero, np.int8 if site.scale.signed else np.uint8)
    nodes: list[NodeProto] = []
    if site.shifted:
        zero = np.array(0, np.int8)
        for source in site.sources:
            graph.add(f"{source}/middle", np.array(middle, np.float32))
            nodes.append(helper.make_node("Sub", [source, f"{source}/middle"], [f"{source}/shifted"], f"{source}/Sub"))
    carriers = [carrier(site, source) for source in site.sources] + list(site.between if bracketed else ())
    return nodes + [node for tensor in carriers for node in _pair(graph, tensor, step, zero)]


def carrier(site: SharedScale, source: str) -> str:
    """Name the tensor whose values are rounded in place of a source."""
    return f"{source}/shifted" if site.shifted else source


def rounded(tensor: str) -> str:
    """Name the tensor that holds a tensor's values after rounding to eight bits."""
    return f"{tensor}/rounded"


def _pair(graph: Graph, tensor: str, scale: np.ndarray, zero: np.ndarray) -> list[NodeProto]:
    """Make the two nodes from a tensor to its rounded values, per channel when the scale is an array."""
    parameters, axis = [f"{tensor}/scale", f"{tensor}/zero"], {"axis": 0} if scale.ndim else {}
    for name, value in zip(parameters, (scale, zero), strict=True):
        graph.add(name, value)
    return [
        helper.make_node(kind, [before, *parameters], [after], f"{tensor}/{kind}", **axis)
        for kind, before, after in (
            ("QuantizeLinear", tensor, f"{tensor}/int8"),
            ("DequantizeLinear", f"{tensor}/int8", rounded(tensor)),
        )
    ]


def _redirect(graph: Graph, site: SharedScale, bracketed: bool) -> None:
    """Let a site's convolutions, what joins their inputs, and residual additions read the rounded tensors."""
    names = {source: rounded(carrier(site, source)) for source in site.sources}
    additions = [] if site.shifted else [node for name in site.sources for node in graph.consumers[name]]
    readers = [graph.convs[name] for name in site.convs] + [graph.producers[name] for name in site.between]
    readers += [node for node in additions if node.op_type == "Add"]
    if bracketed:
        names |= {name: rounded(name) for name in site.between}
    for node in readers:
        for index, name in enumerate(node.input):
            node.input[index] = names.get(name, name)


def _insert(model: onnx.ModelProto, new: list[NodeProto]) -> None:
    """Add nodes, each right after what makes its input."""
    waiting: dict[str, list[NodeProto]] = {}
    for node in new:
        waiting.setdefault(node.input[0], []).append(node)
    old = [onnx.NodeProto.FromString(node.SerializeToString()) for node in model.graph.node]
    del model.graph.node[:]
    for name in [*(tensor.name for tensor in model.graph.initializer), model.graph.input[0].name]:
        _release(model, waiting, name)
    for node in old:
        model.graph.node.append(node)
        for name in node.output:
            _release(model, waiting, name)
    _drop_unread(model)


def _release(model: onnx.ModelProto, waiting: dict[str, list[NodeProto]], name: str) -> None:
    for node in waiting.pop(name, []):
        model.graph.node.append(node)
        for output in node.output:
            _release(model, waiting, output)


def _drop_unread(model: onnx.ModelProto) -> None:
    read = {name for node in model.graph.node for name in node.input}
    for tensor in [tensor for tensor in model.graph.initializer if tensor.name not in read]:
        model.graph.initializer.remove(tensor)
