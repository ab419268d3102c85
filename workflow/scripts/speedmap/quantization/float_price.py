"""What convolutions in float cost an engine that runs the others in eight bits: the conversions of their tensors.

The constants are those of an H100 with TensorRT 8.6 (results/published/h100-tensorrt8.6/layers.md): a reformat takes 7
to 11 us whatever its size, since an image alone is bound by the number of kernels, and convolutions in INT8 save about
2 us a billion multiply-adds. Only the order of prices matters to a choice, and that is far apart.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from math import prod
from operator import itemgetter

from speedmap.graph.detector_graph import Graph

KERNEL_US = 8.0  # a conversion, as a kernel of its own
BYTES_PER_US = 2e6  # memory traffic
WORK_PER_US = 0.5e9  # multiply-adds after which float takes a microsecond longer
ROUND = 3  # bytes an element: float16 to int8, or back
UNFUSED = 10  # float32 out of a convolution in eight bits, into SiLU, and float16 out of that
SMALLEST_US = 0.1  # what anything is held to cost that costs less
IMAGE = 4 + 32 / 3  # float32 to int8, filled up from 3 to 32 channels, as without blocks of pixels


def conversions(graph: Graph, kept: Collection[str], sizes: Mapping[str, int]) -> dict[tuple[str, str], float]:
    """List what must be converted, (tensor, how) with its bytes, when the convolutions `kept` are in float.

    sizes: elements by tensor, of all that `graph.read` names.
    """
    eight = [conv for name, conv in graph.convs.items() if name not in kept]
    rounded = {source for conv in eight for source in graph.sources(conv.input[0])}
    costs: dict[tuple[str, str], float] = {}
    if graph.image in rounded:
        costs[graph.image, "image"] = IMAGE * sizes[graph.image]
    for tensor in {source for conv in graph.convs.values() for source in graph.sources(conv.input[0])} - {graph.image}:
        maker = graph.activated(tensor)
        readers = {node.name for node in graph.consumers[tensor]}
        wanted = tensor not in rounded or readers & set(graph.head) & set(kept)  # as float
        if maker is not None and maker.name not in kept and wanted:
            costs[tensor, "unfused"] = UNFUSED * sizes[tensor]
        if tensor in rounded and (wanted or (maker is not None and maker.name in kept)):
            costs[tensor, "quantize"] = ROUND * sizes[tensor]
        if tensor in rounded and (readers & set(kept)) - set(graph.head):
            costs[tensor, "dequantize"] = ROUND * sizes[tensor]
    return costs


def price(
    graph: Graph, convs: Collection[str], kept: Collection[str], sizes: Mapping[str, int], work: Mapping[str, int]
) -> float:
    """Return the microseconds that leaving `convs` in float, besides those `kept` there, adds; below 0 it saves some.

    work: multiply-adds by convolution.
    """
    before, after = (conversions(graph, names, sizes) for names in ({*kept}, {*kept, *convs}))
    kernels, traffic = len(after) - len(before), sum(after.values()) - sum(before.values())
    slower = sum(work[name] for name in {*convs} - {*kept})
    return KERNEL_US * kernels + traffic / BYTES_PER_US + slower / WORK_PER_US


def elements(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, int]:
    """Count the elements of tensors by their shapes."""
    return {name: prod(shape) for name, shape in shapes.items()}


def islands(
    graph: Graph,
    kept: list[str],
    errors: Mapping[str, float],
    share: Mapping[str, float],
    budget: float,
    cost: Callable[[Collection[str], Collection[str]], float],
    free: bool,
) -> list[str]:
    """Order the convolutions to leave in float after those `kept` there: what buys the most error a microsecond first.

    They take, with those kept, no more than `budget` of the multiply-adds. cost: as `price`, of (some, besides others).
    free: take only what costs no time.
    """
    chosen = list(kept)
    while True:
        left = budget - sum(share[name] for name in chosen) + 1e-9  # what rounding leaves
        affordable = [convs for convs in _candidates(graph, chosen) if sum(share[name] for name in convs) <= left]
        costs = [(cost(convs, chosen), convs) for convs in affordable]
        values = [
            (sum(errors[name] for name in convs) / max(us, SMALLEST_US), convs)
            for us, convs in costs
            if us <= 0 or not free
        ]
        if not values:
            return chosen[len(kept) :]
        chosen += max(values, key=itemgetter(0))[1]


def _candidates(graph: Graph, chosen: list[str]) -> Iterator[list[str]]:
    """Return each convolution by itself, and the rest of the first stage that is not wholly in float.

    What reads the image's convolution goes to float after that only: in eight bits it has no kernel that gives floats.
    """
    open_ = [name for name in graph.convs if name not in chosen]
    if not set(graph.first) <= set(chosen):
        open_ = [name for name in open_ if name not in graph.second]
    elif open_:
        yield [name for name in open_ if stage(name) == stage(open_[0])]
    yield from ([name] for name in open_)


def stage(conv: str) -> str:
    """Name the part of the network that a convolution belongs to: /model.2/m/m.0/cv1/conv/Conv is in model.2."""
    return conv.lstrip("/").split("/", 1)[0]
