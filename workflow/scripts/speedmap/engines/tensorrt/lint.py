"""What keeps an engine from being as fast as its precision promises, read off TensorRT's inspector."""

from collections import defaultdict
from collections.abc import Iterable
from math import prod

from speedmap.engines.tensorrt.inspector import precision, spelled

SIZES = {"int8": 1, "fp8": 1, "bf16": 2, "fp16": 2, "fp32": 4}  # bytes an element
REFORMATS, POINTWISE = ("Reformat", "NoOp"), ("PointWise", "ElementWise")  # beginnings of layers' types


def lint(layers: list[dict]) -> dict[str, int | None]:
    """Count what costs time beside the convolutions in the layers that `inspector.parse` gives.

    int8_to_float: convolutions in INT8 that give floats. reformats, and their reformat_bytes read and written (None
    where the engine's shapes are free). pointwise: SiLU, additions and the like that are no part of a convolution's
    kernel. several_forms: tensors that are read in more than one type or layout.
    """
    reformats = [layer for layer in layers if str(layer.get("LayerType", "")).startswith(REFORMATS[0])]
    return {
        "int8_to_float": sum(map(_gives_floats, layers)),
        "reformats": len(reformats),
        "reformat_bytes": _traffic(reformats),
        "pointwise": sum(str(layer.get("LayerType", "")).startswith(POINTWISE) for layer in layers),
        "several_forms": sum(len(forms) > 1 for forms in read_forms(layers).values()),
    }


def _gives_floats(layer: dict) -> bool:
    outputs = {_type(tensor) for tensor in _tensors(layer, "Outputs")}
    return "Weights" in layer and precision(layer) == "int8" and bool(outputs & {"fp16", "bf16", "fp32"})


def _traffic(layers: Iterable[dict]) -> int | None:
    """Sum up the bytes that layers read and write; None when a size is not known."""
    total = 0
    for tensor in (tensor for layer in layers for side in ("Inputs", "Outputs") for tensor in _tensors(layer, side)):
        dimensions, kind = tensor.get("Dimensions") or [-1], _type(tensor)
        if kind not in SIZES or min(dimensions) < 0:
            return None
        total += prod(dimensions) * SIZES[kind]
    return total


def read_forms(layers: Iterable[dict]) -> dict[str, set[str]]:
    """Map each tensor to the formats in which layers read it, copies of it that reformats make counted with it."""
    layers, origin = list(layers), {}
    for layer in layers:
        inputs, outputs = _tensors(layer, "Inputs"), _tensors(layer, "Outputs")
        if str(layer.get("LayerType", "")).startswith(REFORMATS) and inputs:
            origin |= {tensor["Name"]: inputs[0]["Name"] for tensor in outputs if tensor["Name"] != inputs[0]["Name"]}
    forms = defaultdict(set)
    for layer in layers:
        if not str(layer.get("LayerType", "")).startswith(REFORMATS):
            for tensor in _tensors(layer, "Inputs"):
                forms[_root(tensor["Name"], origin)].add(_format(tensor))
    return dict(forms)


def _root(name: str, origin: dict[str, str]) -> str:
    for _ in range(len(origin)):  # each at most once, should names go round in a circle
        if name not in origin:
            break
        name = origin[name]
    return name


def _tensors(layer: dict, side: str) -> list[dict]:
    return [tensor for tensor in layer.get(side, []) if isinstance(tensor, dict) and "Name" in tensor]


def _format(tensor: dict) -> str:
    return str(tensor.get("Format/Datatype") or tensor.get("Datatype") or "")


def _type(tensor: dict) -> str:
    return spelled(_format(tensor))
