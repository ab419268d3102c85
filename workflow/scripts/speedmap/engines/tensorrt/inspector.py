"""Read off TensorRT's engine inspector in which precision each ONNX node runs."""

import json
import re
from collections.abc import Iterable

# As the formats and types of TensorRT 8 to 11 are spelled; the first that matches names the precision.
SPELLINGS = {
    "int8": r"\bint8\b|kINT8",
    "fp8": r"\bfp8\b|float8",
    "bf16": r"\bbf16\b|bfloat16",
    "fp16": r"\bfp16\b|\bhalf\b|float16",
    "fp32": r"\bfp32\b|\bfloat\b|float32",
}
SEPARATORS = r"[\s,()\[\]{}|+\x1e\x1f]+"  # what stands between the names of fused layers, in Name and in Metadata


def parse(text: str) -> list[dict]:
    """Give the layers of an inspector's JSON as dictionaries; [] for an engine built without detailed verbosity.

    TensorRT 8.6 writes control characters raw into strings; 10 and later end some lists with a comma.
    """
    cleaned = re.sub(r",(\s*[\]}])", r"\1", re.sub(r"[\x00-\x1f]+", " ", text))
    layers = json.loads(cleaned).get("Layers", [])
    return [layer for layer in layers if isinstance(layer, dict)]


def precisions(layers: Iterable[dict], names: Iterable[str]) -> dict[str, str]:
    """Map each ONNX node in `names` to the precision of the engine layer that computes it, `unknown` where none tells.

    Of several layers that name a node (reformats before it, pointwise work after it) the one that computes counts.
    """
    wanted, found = set(names), {}
    for layer in sorted(layers, key=_rank, reverse=True):
        found |= dict.fromkeys(wanted & _nodes(layer), precision(layer))
    return {name: found.get(name, "unknown") for name in sorted(wanted)}


def _rank(layer: dict) -> int:
    """Order layers by how surely they compute a convolution: 0 with weights, 1 by type or kernel, 2 any other."""
    if "Weights" in layer:
        return 0
    kind = f"{layer.get('LayerType', '')} {layer.get('TacticName', '')}".lower()
    return 1 if re.search(r"conv|gemm|matmul|fprop|xmma", kind) else 2


def _nodes(layer: dict) -> set[str]:
    described = f"{layer.get('Name', '')} {layer.get('Metadata', '')}".replace("ONNX Layer:", " ")
    return set(re.split(SEPARATORS, described))


def precision(layer: dict) -> str:
    """Name the precision in which a layer multiplies: that of its weights, else of its first input."""
    weights = layer.get("Weights")
    if isinstance(weights, dict) and (known := spelled(str(weights.get("Type", "")))) != "unknown":
        return known
    inputs = [tensor for tensor in layer.get("Inputs", []) if isinstance(tensor, dict)]
    formats = [str(tensor.get("Format/Datatype") or tensor.get("Datatype") or "") for tensor in inputs[:1]]
    return spelled(formats[0]) if formats else "unknown"


def spelled(text: str) -> str:
    """Name the type that a format or a type of TensorRT's speaks of, `unknown` where it is none of SPELLINGS."""
    return next((name for name, pattern in SPELLINGS.items() if re.search(pattern, text, re.IGNORECASE)), "unknown")
