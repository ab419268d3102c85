"""Where a graph's activations are rounded to eight bits, and on which scale: the plan, before anything is written."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from speedmap.errors import UserError
from speedmap.graph.detector_graph import Graph
from speedmap.machine.cpu_features import sums_saturate
from speedmap.quantization.calibration import Statistics
from speedmap.quantization.ranges import Histogram, Scale

Method = Callable[[Histogram, bool], Scale]
Methods = Callable[[tuple[str, ...]], Method]  # by the tensors that share a scale

NO_VNNI = "openvino without vnni"
TURING = "tensorrt 8 on turing"
SILU_FROM = 6.0  # below -6 SiLU is within 0.015 of zero, so that a range that ends there loses nothing


class PlanError(UserError):
    """Statistics that do not fit a graph; the message names the cause and the remedy."""


@dataclass(frozen=True)
class QdqConvention:
    """What an engine wants of eight bits.

    signed: activations have no zero point. bracketed: every op between two eight-bit tensors has its own pair of nodes.
    single: a tensor exists in one form, so that all that reads a rounded one reads it rounded, the head apart. fresh:
    what a residual adds to its shortcut is rounded, too, on a scale of its own. bound: the image's convolution goes to
    float before others, and what reads it does only then: in eight bits that one has no kernel that gives floats.
    narrow: the weights of the image's convolution have seven bits. apart: a convolution and its SiLU are two kernels,
    so that what lies between them is rounded, too.
    """

    signed: bool
    bracketed: bool
    single: bool
    fresh: bool
    bound: bool
    narrow: bool = False
    apart: bool = False

    def adapted(self, residuals: str) -> "QdqConvention":
        """Return the convention with `fresh` only where residuals are to be rounded on "both" sides."""
        return replace(self, fresh=self.fresh and residuals == "both")


# TensorRT 8.6 fuses a convolution, SiLU and rounding into one kernel only where all readers take the same eight-bit
# tensor, and runs an addition in eight bits only where both of its inputs are. It found no kernel for an eight-bit
# convolution of the image's three channels that gives floats, and to round the image and fill its pixels up to 32
# channels takes an H100 longer than its convolution in float16.
TENSORRT = QdqConvention(signed=True, bracketed=True, single=True, fresh=True, bound=True)
# On AVX-512 VNNI OpenVINO 2026.4 computes rubbish from signed activations (mAP 28.9 -> 6.0).
OPENVINO = QdqConvention(signed=False, bracketed=False, single=False, fresh=False, bound=False)
CONVENTIONS = {
    "tensorrt": TENSORRT,
    "openvino": OPENVINO,
    # Without VNNI pairs of products of 0..255 and -127..127 are added in 16 bits and saturate. Those of the image do,
    # whose neighbouring channels are bright together: 0.3% of all pairs in yolov5n, its output is off by 23 to 33%. Of
    # any other convolution 0.001% do at most. With weights in -64..64 none can.
    NO_VNNI: replace(OPENVINO, narrow=True),
    # The libraries of TensorRT 8.6.0 name 308 INT8 kernels of convolution and SiLU for sm_90, 55 for sm_80 and none for
    # sm_75, which has 181 without SiLU: there both run in eight bits only one by one. Of 10 and 11 that is not known.
    TURING: replace(TENSORRT, apart=True),
}


def dialect(backend: str, target: dict) -> str:
    """Name the convention for a backend's engine on a platform."""
    if backend == "null":  # which computes nothing
        return "openvino"
    if backend == "tensorrt" and target.get("compute_capability") == "7.5" and str(target["tensorrt"]).startswith("8."):
        return TURING
    return NO_VNNI if backend == "openvino" and sums_saturate(target) else backend


@dataclass(frozen=True)
class SharedScale:
    """Tensors that share a scale because what they are joined to is read by the same convolutions.

    sources: where the rounding happens. between: made of those by joining, pooling or upsampling. convs: the readers in
    eight bits; none of what a residual adds.
    """

    sources: tuple[str, ...]
    between: tuple[str, ...]
    convs: tuple[str, ...]
    scale: Scale


def plan(
    graph: Graph, statistics: Statistics, convs: list[str], dialect: QdqConvention, methods: Methods
) -> list[SharedScale]:
    """Choose where the inputs of `convs` are rounded; PlanError when the statistics are another graph's."""
    sites = [_site(graph, statistics, members, dialect, methods) for members in joined(graph, convs, dialect.single)]
    sites += _residuals(graph, statistics, convs, sites, dialect, methods) if dialect.fresh else []
    return sites + (_before_silu(graph, convs, sites) if dialect.apart else [])


def joined(graph: Graph, convs: list[str], single: bool) -> list[list[str]]:
    """Group convolutions whose inputs come, through joining, pooling and upsampling, from a tensor in common."""
    groups: list[tuple[set[str], list[str]]] = []
    for name in convs:
        sources, members = set(rounded_at(graph, name, convs, single)), [name]
        for group in [group for group in groups if group[0] & sources]:
            groups.remove(group)
            sources, members = group[0] | sources, group[1] + members
        groups.append((sources, members))
    return [members for _, members in groups]


def rounded_at(graph: Graph, conv: str, convs: list[str], single: bool) -> list[str]:
    """Name the tensors to round so that a convolution reads eight bits.

    Its input's sources; where tensors may have several forms, the input itself if others than `convs` read what lies
    between.
    """
    tensor = graph.convs[conv].input[0]
    private = single or all(_only_for(graph, name, set(convs)) for name in graph.between(tensor))
    return graph.sources(tensor) if private else [tensor]


def _only_for(graph: Graph, tensor: str, convs: set[str]) -> bool:
    return all(
        reader.name in convs
        or (graph.commutes(reader) and all(_only_for(graph, name, convs) for name in reader.output))
        for reader in graph.consumers[tensor]
    )


def _site(
    graph: Graph, statistics: Statistics, convs: list[str], dialect: QdqConvention, methods: Methods
) -> SharedScale:
    # Only what is rounded at its sources has something between: see rounded_at.
    origins = {name: rounded_at(graph, name, convs, dialect.single) for name in convs}
    sources = tuple(dict.fromkeys(source for names in origins.values() for source in names))
    inputs = dict.fromkeys(graph.convs[name].input[0] for name in convs)
    between = (name for tensor in inputs if tensor not in sources for name in graph.between(tensor))
    scale = _scale(statistics, sources, dialect.signed, methods(sources))
    return SharedScale(sources, tuple(dict.fromkeys(between)), tuple(convs), scale)


def _residuals(
    graph: Graph,
    statistics: Statistics,
    convs: list[str],
    sites: list[SharedScale],
    dialect: QdqConvention,
    methods: Methods,
) -> list[SharedScale]:
    """Round what eight-bit convolutions add to shortcuts that are rounded, each on its own scale."""
    rounded = {tensor for site in sites for tensor in (*site.sources, *site.between)}
    return [
        SharedScale(fresh, (), (), _scale(statistics, fresh, dialect.signed, methods(fresh)))
        for residual in graph.residuals
        if residual.shortcut in rounded and residual.fresh not in rounded and residual.conv in convs
        for fresh in [(residual.fresh,)]
    ]


def _before_silu(graph: Graph, convs: list[str], sites: list[SharedScale]) -> list[SharedScale]:
    """Round what eight-bit convolutions give to SiLU on the scale of what that makes of it: large values it leaves."""
    pairs = [(graph.activated(tensor), site.scale) for site in sites for tensor in site.sources]
    return [
        SharedScale((conv.output[0],), (), (), replace(scale, step=max(scale.step, SILU_FROM / scale.limits[1])))
        for conv, scale in pairs
        if conv is not None and conv.name in convs
    ]


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
