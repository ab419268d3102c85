"""What keeps an engine from being as fast as its precision promises, read off TensorRT's inspector."""

from collections import defaultdict
from collections.abc import Iterable
from math import prod

from speedmap.engines.tensorrt.inspector import Layer, Tensor, precision, spelled

SIZES = {"int8": 1, "fp8": 1, "bf16": 2, "fp16": 2, "fp32": 4}  # bytes an element
REFORMATS, POINTWISE = ("Reformat", "NoOp"), ("PointWise", "ElementWise")  # beginnings of layers' types


def lint(layers: list[Layer]) -> dict[str, int | None]:
    """Count what costs time beside the convolutions in the layers that `inspector.parse` gives.

    int8_to_float: convolutions in INT8 that give floats. reformats, and their reformat_bytes read and written (None
    where the engine's shapes are free). pointwise: SiLU, additions and the like that are no part of a convolution's
    kernel. several_forms: tensors that are read in more than one type or layout.
    """
    reformats = [layer for layer in layers if layer.kind.startswith(REFORMATS[0])]
    return {
        "int8_to_float": sum(map(_gives_floats, layers)),
        "reformats": len(reformats),
        "reformat_bytes": _traffic(reformats),
        "pointwise": sum(layer.kind.startswith(POINTWISE) for layer in layers),
        "several_forms": sum(len(forms) > 1 for forms in read_forms(layers).values()),
    }


def _gives_floats(layer: Layer) -> bool:
    outputs = {spelled(tensor.form) for tensor in _named(layer.outputs)}
    return layer.weights is not None and precision(layer) == "int8" and bool(outputs & {"fp16", "bf16", "fp32"})


def _traffic(layers: Iterable[Layer]) -> int | None:
    """Sum up the bytes that layers read and write; None when a size is not known."""
    total = 0
    for tensor in (tensor for layer in layers for tensor in _named(layer.inputs + layer.outputs)):
        kind = spelled(tensor.form)
        if kind not in SIZES or min(tensor.dimensions) < 0:
            return None
        total += prod(tensor.dimensions) * SIZES[kind]
    return total


def read_forms(layers: Iterable[Layer]) -> dict[str, set[str]]:
    """Map each tensor to the formats in which layers read it, copies of it that reformats make counted with it."""
    layers, origin = list(layers), {}
    for layer in layers:
        inputs, outputs = _named(layer.inputs), _named(layer.outputs)
        if layer.kind.startswith(REFORMATS) and inputs:
            origin |= {tensor.name: inputs[0].name for tensor in outputs if tensor.name != inputs[0].name}
    forms = defaultdict(set)
    for layer in layers:
        if not layer.kind.startswith(REFORMATS):
            for tensor in _named(layer.inputs):
                forms[_root(tensor.name, origin)].add(tensor.form)
    return dict(forms)


def _root(name: str, origin: dict[str, str]) -> str:
    for _ in range(len(origin)):  # each at most once, should names go round in a circle
        if name not in origin:
            break
        name = origin[name]
    return name


def _named(tensors: Iterable[Tensor]) -> list[Tensor]:
    return [tensor for tensor in tensors if tensor.name is not None]
