"""Where a graph's activations are rounded to eight bits, and on which scale: the plan, before anything is written."""

from collections.abc import Callable
from dataclasses import dataclass

from speedmap.errors import UserError
from speedmap.graph.detector_graph import Graph
from speedmap.quantization.calibration import Statistics
from speedmap.quantization.ranges import Histogram, Scale

Method = Callable[[Histogram, bool], Scale]


class PlanError(UserError):
    """Statistics that do not fit a graph; the message names the cause and the remedy."""


@dataclass(frozen=True)
class QdqConvention:
    """What an engine wants of eight bits.

    signed: activations have no zero point. shifted: so 1x1 convolutions, which have no padding to keep zero, read
    activations less their middle, for which the bias makes up; else half the levels would stand for values below zero,
    and SiLU gives none below -0.278. bracketed: every op between two eight-bit tensors has its own pair of nodes.
    bound: the image's convolution goes to float before others, and what reads it never does: in eight bits that one has
    no kernel that gives floats.
    """

    signed: bool
    shifted: bool
    bracketed: bool
    bound: bool


CONVENTIONS = {
    # TensorRT 8.6 found no kernel for an eight-bit convolution of the image's three channels that gives floats, and to
    # round the image and fill it up to 32 channels takes an H100 longer than its convolution in float16.
    "tensorrt": QdqConvention(signed=True, shifted=True, bracketed=True, bound=True),
    # On AVX-512 VNNI OpenVINO 2026.4 computes rubbish from signed activations (mAP 28.9 -> 6.0).
    "openvino": QdqConvention(signed=False, shifted=False, bracketed=False, bound=False),
}


@dataclass(frozen=True)
class SharedScale:
    """Tensors that share a scale because what they are joined to is read by the same convolutions.

    sources: where the rounding happens. between: made of those by joining, pooling or upsampling. convs: the readers.
    shifted: whether the sources are rounded less the scale's middle.
    """

    sources: tuple[str, ...]
    between: tuple[str, ...]
    convs: tuple[str, ...]
    scale: Scale
    shifted: bool


def plan(
    graph: Graph, statistics: Statistics, convs: list[str], dialect: QdqConvention, method: Method
) -> list[SharedScale]:
    """Choose where the inputs of `convs` are rounded; PlanError when the statistics are another graph's."""
    shiftable = [name for name in convs if dialect.shifted and graph.weight(name).shape[2:] == (1, 1)]
    rest = [name for name in convs if name not in shiftable]
    return [
        _site(graph, statistics, members, dialect.signed and not shifted, shifted, method)
        for shifted, group in ((False, rest), (True, shiftable))
        for members in joined(graph, group)
    ]


def joined(graph: Graph, convs: list[str]) -> list[list[str]]:
    """Group convolutions whose inputs come, through joining, pooling and upsampling, from a tensor in common."""
    groups: list[tuple[set[str], list[str]]] = []
    for name in convs:
        sources, members = set(rounded_at(graph, name, convs)), [name]
        for group in [group for group in groups if group[0] & sources]:
            groups.remove(group)
            sources, members = group[0] | sources, group[1] + members
        groups.append((sources, members))
    return [members for _, members in groups]


def rounded_at(graph: Graph, conv: str, convs: list[str]) -> list[str]:
    """Name the tensors to round so that a convolution reads eight bits.

    Its input's sources, unless what lies between is read by others than `convs`, too: then the input itself.
    """
    tensor = graph.convs[conv].input[0]
    private = all(_only_for(graph, name, set(convs)) for name in graph.between(tensor))
    return graph.sources(tensor) if private else [tensor]


def _only_for(graph: Graph, tensor: str, convs: set[str]) -> bool:
    return all(
        reader.name in convs or (graph.commutes(reader) and _only_for(graph, reader.output[0], convs))
        for reader in graph.consumers[tensor]
    )


def _site(
    graph: Graph, statistics: Statistics, convs: list[str], signed: bool, shifted: bool, method: Method
) -> SharedScale:
    # Only what is rounded at its sources has something between: see rounded_at.
    found = {name: rounded_at(graph, name, convs) for name in convs}
    sources = tuple(dict.fromkeys(source for names in found.values() for source in names))
    inputs = dict.fromkeys(graph.convs[name].input[0] for name in convs)
    between = (name for tensor in inputs if tensor not in sources for name in graph.between(tensor))
    scale = _scale(statistics, sources, signed, method)
    return SharedScale(sources, tuple(dict.fromkeys(between)), tuple(convs), scale, shifted)


def _scale(statistics: Statistics, tensors: tuple[str, ...], signed: bool, method: Method) -> Scale:
    """Choose a scale once: a scan of convolutions asks for the same ones again and again."""
    key = tensors, signed, method
    if key not in statistics.scales:
        statistics.scales[key] = method(sum_of(statistics, tensors), signed)
    return statistics.scales[key]


def sum_of(statistics: Statistics, tensors: tuple[str, ...]) -> Histogram:
    """Add up the histograms of tensors."""
    if missing := [name for name in tensors if name not in statistics.histograms]:
        raise PlanError(
            f"calibration did not see tensor {missing[0]}; its statistics are another model's: delete them and run anew"
        )
    first, *others = (statistics.histograms[name] for name in tensors)
    return sum(others, first)
