"""Ranges of roundings that do much of the harm, chosen by the error of the output instead of the tensor's histogram."""

from collections.abc import Callable, Collection, Mapping

from speedmap.graph.detector_graph import Graph
from speedmap.quantization.qdq_plan import joined, rounded_at
from speedmap.quantization.split_range import METHOD, costless, splittable

STANDS_OUT = 0.1  # share of the sum of all errors from which on the range of a rounding is tried in other ways
SPLIT_FROM = 0.03  # that from which on splitting it is, where that costs a kernel time
RANGES = ("power", "mse", "percentile")  # of which the last two clip more than the first

Judge = Callable[[Collection[str], Mapping[str, str]], float]  # the error with some in float, and other ranges of some


def better_ranges(
    graph: Graph, in_float: Collection[str], errors: Mapping[str, float], single: bool, usual: str, judge: Judge
) -> dict[str, str]:
    """Choose the range of each rounding that stands out by the error that it makes alone.

    errors: of each convolution alone in eight bits. Returns methods by tensor, where another than the `usual` is best.
    """
    chosen, total = {}, sum(errors.values())
    for convs in joined(graph, [name for name in graph.convs if name not in in_float], single):
        harm = sum(errors[name] for name in convs)
        tensors = {tensor: None for name in convs for tensor in rounded_at(graph, name, convs, single)}
        methods = {usual: None}
        if harm >= STANDS_OUT * total:
            methods |= dict.fromkeys(RANGES)
        if single and all(splittable(graph, tensor, in_float) for tensor in tensors):
            free = all(costless(graph, tensor) for tensor in tensors)
            methods |= {METHOD: None} if free or harm >= SPLIT_FROM * total else {}
        if harm and len(methods) > 1:
            rest = {*graph.convs} - {*convs}
            tried = {method: judge(rest, dict.fromkeys(tensors, method)) for method in methods}
            chosen |= dict.fromkeys(tensors, min(tried, key=tried.__getitem__))
    return {tensor: method for tensor, method in chosen.items() if method != usual}
