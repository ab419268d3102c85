"""Which convolutions eight bits hurt most, and the fewest to leave in float, judged on calibration images alone."""

from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import onnx as onnxlib
from tqdm import tqdm

from speedmap.graph import multiply_adds, onnx_runtime
from speedmap.graph.detector_graph import Graph
from speedmap.graph.onnx_runtime import opened
from speedmap.model.postprocess import SEEN, scores
from speedmap.quantization import float_price, split_range
from speedmap.quantization.calibration import CalibrationError, Statistics
from speedmap.quantization.insert_qdq import quantize
from speedmap.quantization.options import Options
from speedmap.quantization.output_ranges import better_ranges
from speedmap.quantization.qdq_plan import CONVENTIONS, rounded_at
from speedmap.quantization.scan import Scan
from speedmap.results.prepared import Choice, ConvCost
from speedmap.verification.agreement import images_with_detections


def choose(
    onnx: Path, statistics: Statistics, images: list[Path], imgsz: int, dialect: str, options: Options
) -> Choice:
    """Find the fewest convolutions of a float32 graph to leave in float so that INT8 meets the target.

    The target is the relative error of the output, see `error`; 0 leaves as many in float as `least_share` allows, and
    for TensorRT as cost no time. For TensorRT the ends come first, then what buys the most error a microsecond. Where a
    rounding that remains does much of the harm, its range is chosen by that. An unreachable target is recorded by
    `met`, not raised. Raises CalibrationError where the graph sees nothing in any image.
    """
    model = onnxlib.load(onnx)
    graph = Graph(model)
    work, convention = multiply_adds.count(onnx, imgsz), CONVENTIONS[dialect]
    share = shares(work)
    batches, expected = _scanned(model, images[: options.images], imgsz, graph.dynamic, options.scan)
    eight_bits = partial(quantize, model, statistics, dialect=dialect, options=options, weights={})

    judge, tensors_of = partial(_judge, eight_bits, batches, expected), partial(_rounded, graph, convention.single)
    single = _errors_alone(graph, Scan(model, batches, tensors_of), eight_bits, expected)
    cost = partial(float_price.price, graph, sizes=float_price.elements(statistics.shapes), work=work)
    budget = 1 - options.least_share
    ends = ranking([graph.head, *([graph.first] if convention.bound else [])], single, share, budget)
    ranked = [*ends] if convention.bound else ranking([ends, list(single)], single, share, budget)
    ranges_of = better_ranges(graph, ranked, single, convention.single, options.range, judge)
    changed = [name for name in graph.convs if ranges_of.keys() & {*tensors_of(name)}]
    single |= {name: judge(graph.convs.keys() - {name}, ranges_of) for name in changed}
    if convention.bound:
        limited = share | dict.fromkeys(split_range.fixed(graph, ranges_of), np.inf)
        ranked += float_price.islands(graph, ends, single, limited, budget, cost, free=not options.target)
    count, reached = fewest(lambda count: judge(ranked[:count], ranges_of), len(ranked), options.target)
    kept = [name for name in graph.convs if name in ranked[:count]]  # in an order: sums depend on it
    return Choice(
        in_float=kept,
        table=_table(share, single, kept, partial(cost, kept=ends)),
        ranges=ranges_of,
        target=float(options.target),
        reached=reached,
        met=not options.target or reached <= options.target,
        int8_share=1.0 - sum(share[name] for name in kept),
    )


def _errors_alone(graph: Graph, alone: Scan, eight_bits: Callable, expected: list[np.ndarray]) -> dict[str, float]:
    """Compute what each convolution alone does to the output in eight bits."""
    scanned = tqdm(graph.convs, "scanning", unit="conv", disable=None, leave=False)
    return {name: error(alone.outputs(name, eight_bits({*graph.convs} - {name})), expected) for name in scanned}


def _judge(
    eight_bits: Callable, batches: list, expected: list, kept: Collection[str], ranges_of: Mapping[str, str]
) -> float:
    return error(list(map(opened(eight_bits(kept, ranges_of=ranges_of)), batches)), expected)


def _rounded(graph: Graph, single: bool, conv: str) -> list[str]:
    return rounded_at(graph, conv, [conv], single)


def _table(
    share: Mapping[str, float], errors: Mapping[str, float], kept: list[str], price: Callable[[list[str]], float]
) -> list[ConvCost]:
    return [
        ConvCost(
            conv=name, share=share[name], error=errors[name], in_float=name in kept, price_us=round(price([name]), 2)
        )
        for name in share
    ]


def _scanned(
    model: onnxlib.ModelProto, files: list[Path], imgsz: int, dynamic: bool, count: int
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Take some images in which a graph sees something, evenly from all as far as it does, and what it gives."""
    first = spread(files, count)
    others = [file for file in files if file not in first]
    found = images_with_detections(
        onnx_runtime.session(model.SerializeToString()), first + others, imgsz, dynamic, count, SEEN
    )
    if not found:
        raise CalibrationError(
            f"the model sees nothing in any of {len(files)} calibration images, so what INT8 costs cannot be judged; "
            "give dataset.calibration images like those to evaluate on"
        )
    return [batch for batch, _ in found], [output for _, output in found]


def shares(work: dict[str, int]) -> dict[str, float]:
    """Return each convolution's share of the multiply-adds."""
    total = sum(work.values())
    return {name: count / total for name, count in work.items()}


def affordable_ends(onnx: Path, imgsz: int, least_share: float) -> list[str]:
    """Name what of the head and the image's convolution can stay in float where nothing is worth a scan.

    A head of many classes cannot as a whole.
    """
    graph = Graph(onnxlib.load(onnx))
    errors = dict.fromkeys(graph.convs, 1.0)
    return ranking([graph.head, graph.first], errors, shares(multiply_adds.count(onnx, imgsz)), 1 - least_share)


def ranking(groups: list[list[str]], errors: dict[str, float], share: dict[str, float], budget: float) -> list[str]:
    """List convolutions in the order in which to leave them in float: group by group, within each as `affordable`.

    The head comes first: the error adds up squares, so it tells of large changes, but what the head rounds is in every
    box and score. Then the image's convolution, for an engine that it slows down in eight bits.
    """
    ranked: list[str] = []
    for group in groups:
        left = budget - sum(share[name] for name in ranked)
        ranked += affordable({name: errors[name] for name in group if name not in ranked}, share, left)
    return ranked


def spread(items: list, count: int) -> list:
    """Take `count` items at equal distances."""
    return items[:: max(len(items) // count, 1)][:count]


def affordable(errors: dict[str, float], share: dict[str, float], budget: float) -> list[str]:
    """List convolutions that together take no more than `budget` of the multiply-adds, the most error a share first."""
    kept = []
    for name in sorted(errors, key=lambda name: errors[name] / share[name], reverse=True):
        if share[name] <= budget + 1e-9:  # what rounding leaves
            kept.append(name)
            budget -= share[name]
    return kept


def fewest(judge: Callable[[int], float], most: int, target: float) -> tuple[int, float]:
    """Find the least count in 0..most whose error meets the target, else that of the least error; `most` for no target.

    Judges one after the other, since the error need not fall with each.
    """
    if not target:
        return most, judge(most)
    errors: list[float] = []
    for count in range(most + 1):
        errors.append(judge(count))
        if errors[-1] <= target:
            break
    best = int(np.argmin(errors))
    return best, errors[best]


def error(outputs: list[np.ndarray], expected: list[np.ndarray]) -> float:
    """Compare outputs [1, anchors, 5 + classes]: mean square of the changes in boxes, of their size, and in scores.

    Counts the rows that the expected output is confident of, each by its score; 0 where it sees nothing.
    """
    parts = [_parts(output[0], wanted[0]) for output, wanted in zip(outputs, expected, strict=True)]
    boxes, weight, change, energy = np.sum(parts, 0)
    return float(boxes / weight + change / energy) if weight else 0.0


def _parts(output: np.ndarray, expected: np.ndarray) -> tuple[float, float, float, float]:
    """Sum the weighted changes in boxes, the weights, the changes in scores, and the scores' squares of one image."""
    best = scores(expected).max(1)
    rows = np.flatnonzero(best > SEEN)
    a, b, weight = output[rows], expected[rows], best[rows]
    sizes = np.tile(b[:, 2:4], 2).clip(min=1e-6)
    boxes = np.square((a[:, :4] - b[:, :4]) / sizes).sum(1).clip(max=1)  # beyond that, just another box
    change = np.square(scores(a) - scores(b)).sum(1)
    return (weight * boxes).sum(), weight.sum(), change.sum(), np.square(weight).sum()
