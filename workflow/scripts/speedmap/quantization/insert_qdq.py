"""Eight bits written into a float32 graph: QuantizeLinear and DequantizeLinear before its convolutions."""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import NamedTuple

import numpy as np
import onnx
from onnx import NodeProto, helper

from speedmap.graph.detector_graph import Graph, note
from speedmap.graph.fp16 import to_fp16
from speedmap.quantization import ranges, split_range, weight_rounding
from speedmap.quantization.calibration import Statistics
from speedmap.quantization.options import Options
from speedmap.quantization.qdq_plan import CONVENTIONS, TURING, Method, QdqConvention, SharedScale, plan
from speedmap.results.prepared import Choice

NOTED = ("target", "reached", "met", "int8_share")  # of the choice, for those who judge the engine
METHODS = {**ranges.METHODS, split_range.METHOD: split_range.scale}  # of a range; the last is no choice of a config
HALF_REST = {"tensorrt", TURING}  # dialects that run the rest of an INT8 graph in float16; a CPU has no fast one


class RoundedWeight(NamedTuple):
    """A convolution's weights on their steps [out], and the bias that makes up for the rounding."""

    value: np.ndarray
    steps: np.ndarray
    bias: np.ndarray


def type_int8(
    model: onnx.ModelProto, statistics: Statistics, choice: Choice, dialect: str, options: Options
) -> onnx.ModelProto:
    """Write INT8 into a float32 detector as a backend wants it, and note in it what was chosen to stay in float."""
    model = quantize(model, statistics, choice.in_float, dialect, options, ranges_of=choice.ranges)
    model = to_fp16(model) if dialect in HALF_REST else model
    note(model, {} if choice.met is None else {name: getattr(choice, name) for name in NOTED})
    return model


def quantize(
    model: onnx.ModelProto,
    statistics: Statistics,
    keep_float: Iterable[str],
    dialect: str,
    options: Options,
    weights: dict[str, RoundedWeight] | None = None,
    ranges_of: Mapping[str, str] | None = None,
) -> onnx.ModelProto:
    """Return a copy of a float32 detector in which all convolutions but `keep_float` compute in eight bits.

    dialect: of CONVENTIONS. weights: of this model, already rounded, by convolution; those rounded now are added.
    ranges_of: methods of ranges by tensor, where another than that of `options` is wanted.
    Raises PlanError when the statistics are another model's.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph, kept = Graph(result), set(keep_float)
    convs = [name for name in graph.convs if name not in kept]
    convention = CONVENTIONS[dialect].adapted(options.residuals)
    nodes, weights = [], {} if weights is None else weights
    methods = partial(_method, ranges_of or {}, options.range)
    sites = plan(graph, statistics, convs, convention, methods)
    split = [(*site.sources, site.scale) for site in sites if methods(site.sources) is split_range.scale]
    makers = {tensor: graph.activated(tensor).name for tensor, _ in split}
    for site in sites:
        for name in site.convs:
            if name not in weights:
                weights[name] = _rounded_weight(graph, name, statistics, options, convention)
            nodes += _weight(graph, name, weights[name])
        nodes += _activations(graph, site, convention.bracketed)
        _redirect(graph, site, convention)
    _insert(result, nodes)
    for tensor, scale in split:
        split_range.split(result, tensor, makers[tensor], scale)
    _drop_unread(result)
    return result


def _method(ranges_of: Mapping[str, str], usual: str, tensors: tuple[str, ...]) -> Method:
    return METHODS[next((ranges_of[name] for name in tensors if name in ranges_of), usual)]


def _rounded_weight(
    graph: Graph, conv: str, statistics: Statistics, options: Options, convention: QdqConvention
) -> RoundedWeight:
    """Round a convolution's weights per output channel, and let its bias make up for what that changes on average."""
    (tensor, _, bias), weight = graph.convs[conv].input, graph.weight(conv)
    top = weight_rounding.NARROW_TOP if convention.narrow and conv in graph.first else weight_rounding.TOP
    steps = weight_rounding.steps(weight, top)
    value = weight_rounding.nearest(weight, steps, top).astype(np.float32)
    mean, covariance = statistics.under(conv, tensor, weight.shape[2:])
    if options.compensate and covariance is not None:
        value = weight_rounding.gptq(weight.reshape(len(weight), -1), steps, covariance, top).reshape(weight.shape)
    change = (weight - value).reshape(len(weight), -1) @ mean if options.bias_correction else 0
    return RoundedWeight(value, steps, (graph.constant(bias) + change).astype(np.float32))


def _weight(graph: Graph, conv: str, weight: RoundedWeight) -> list[NodeProto]:
    """Let a convolution read rounded weights, of new names, since simplified graphs share initializers that are equal.

    Returns the nodes that round them.
    """
    graph.put(f"{conv}/weight", weight.value)
    graph.put(f"{conv}/bias", weight.bias)
    graph.convs[conv].input[1:] = [rounded(f"{conv}/weight"), f"{conv}/bias"]
    return _pair(graph, f"{conv}/weight", weight.steps, np.zeros(len(weight.steps), np.int8))


def _activations(graph: Graph, site: SharedScale, bracketed: bool) -> list[NodeProto]:
    """Make the nodes that round a site's tensors."""
    step = np.array(site.scale.step, np.float32)
    zero = np.array(site.scale.zero, np.int8 if site.scale.signed else np.uint8)
    tensors = [*site.sources, *(site.between if bracketed else ())]
    return [node for tensor in tensors for node in _pair(graph, tensor, step, zero)]


def rounded(tensor: str) -> str:
    """Name the tensor that holds a tensor's values after rounding to eight bits."""
    return f"{tensor}/rounded"


def _pair(graph: Graph, tensor: str, scale: np.ndarray, zero: np.ndarray) -> list[NodeProto]:
    """Make the two nodes from a tensor to its rounded values, per channel when the scale is an array."""
    parameters, axis = [f"{tensor}/scale", f"{tensor}/zero"], {"axis": 0} if scale.ndim else {}
    for name, value in zip(parameters, (scale, zero), strict=True):
        graph.put(name, value)
    return [
        helper.make_node(kind, [before, *parameters], [after], f"{tensor}/{kind}", **axis)
        for kind, before, after in (
            ("QuantizeLinear", tensor, f"{tensor}/int8"),
            ("DequantizeLinear", f"{tensor}/int8", rounded(tensor)),
        )
    ]


def _redirect(graph: Graph, site: SharedScale, convention: QdqConvention) -> None:
    """Let what reads a site's tensors read the rounded ones."""
    tensors = [*site.sources, *(site.between if convention.bracketed else ())]
    names = {name: rounded(name) for name in tensors}
    for node in _readers(graph, site, convention.single):
        for index, name in enumerate(node.input):
            node.input[index] = names.get(name, name)


def _readers(graph: Graph, site: SharedScale, single: bool) -> list[NodeProto]:
    """List the nodes that read a site's tensors rounded.

    All but a float head where a tensor exists in one form, else the site's convolutions, what joins their inputs, and
    residual additions.
    """
    if single:
        readers = [node for name in (*site.sources, *site.between) for node in graph.consumers[name]]
        return [node for node in readers if node.name in site.convs or node.name not in graph.head]
    additions = [node for name in site.sources for node in graph.consumers[name] if node.op_type == "Add"]
    return [*(graph.convs[name] for name in site.convs), *(graph.producers[name] for name in site.between), *additions]


def _insert(model: onnx.ModelProto, new: list[NodeProto]) -> None:
    """Add nodes, each right after what makes its input."""
    waiting: dict[str, list[NodeProto]] = {}
    for node in new:
        waiting.setdefault(node.input[0], []).append(node)
    ready = [*(tensor.name for tensor in model.graph.initializer), model.graph.input[0].name]
    nodes = [node for name in ready for node in _released(waiting, name)]
    for node in model.graph.node:
        nodes += [node, *(follower for name in node.output for follower in _released(waiting, name))]
    ordered = onnx.GraphProto(node=nodes)
    del model.graph.node[:]
    model.graph.node.extend(ordered.node)


def _released(waiting: dict[str, list[NodeProto]], name: str) -> Iterator[NodeProto]:
    for node in waiting.pop(name, []):
        yield node
        for output in node.output:
            yield from _released(waiting, output)


def _drop_unread(model: onnx.ModelProto) -> None:
    read = {name for node in model.graph.node for name in node.input}
    for index in reversed(range(len(model.graph.initializer))):
        if model.graph.initializer[index].name not in read:
            del model.graph.initializer[index]
