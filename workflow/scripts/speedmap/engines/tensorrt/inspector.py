"""Read off TensorRT's engine inspector in which precision each ONNX node runs."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

# As the formats and types of TensorRT 8 to 11 are spelled; the first that matches names the precision.
SPELLINGS = {
    "int8": r"\bint8\b|kINT8",
    "fp8": r"\bfp8\b|float8",
    "bf16": r"\bbf16\b|bfloat16",
    "fp16": r"\bfp16\b|\bhalf\b|float16",
    "fp32": r"\bfp32\b|\bfloat\b|float32",
}
KERNELS = {  # as the names of CUTLASS's and xmma's kernels spell the types of both factors
    "int8": r"_[is]8[is]8_|imma",
    "fp8": r"_e4m3e4m3_",
    "bf16": r"_bf16bf16_",
    "fp16": r"_f16f16_|hmma|h16816",
    "fp32": r"_f32f32_|_tf32tf32_|sgemm",
}
SEPARATORS = r"[\s,()\[\]{}|+\x1e\x1f]+"  # what stands between the names of fused layers, in Name and in Metadata


class Told(msgspec.Struct, rename="pascal"):
    """What the inspector's JSON says of an engine, a layer or its weights; other versions leave out or add some."""

    layers: list[Any] = []
    name: Any = ""
    layer_type: Any = ""
    tactic_name: Any = ""
    metadata: Any = ""
    inputs: list[Any] = []
    outputs: list[Any] = []
    weights: Any = None
    type: Any = ""


class ToldTensor(msgspec.Struct, rename="pascal"):
    """What it says of a tensor."""

    name: Any = None
    form: Any = msgspec.field(name="Format/Datatype", default=None)
    datatype: Any = None
    dimensions: Any = None


@dataclass(frozen=True)
class Tensor:
    """What a layer reads or writes. form: its type and layout, as TensorRT spells them."""

    name: str | None
    form: str
    dimensions: tuple[int, ...]


@dataclass(frozen=True)
class Layer:
    """A layer of an engine. weights: their type, None for a layer without."""

    name: str
    kind: str
    tactic: str
    metadata: str
    weights: str | None
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


def parse(text: str) -> list[Layer]:
    """Return the layers of an inspector's JSON; [] for an engine built without detailed verbosity.

    TensorRT 8.6 writes control characters raw into strings; 10 and later end some lists with a comma.
    """
    cleaned = re.sub(r",(\s*[\]}])", r"\1", re.sub(r"[\x00-\x1f]+", " ", text))
    layers = msgspec.json.decode(cleaned, type=Told).layers
    return [described(layer) for layer in layers if isinstance(layer, dict)]


def described(layer: dict) -> Layer:
    """Take from a layer's JSON what is used of it; what another version of TensorRT leaves out is empty."""
    told = msgspec.convert(layer, Told)
    texts = map(str, (told.name, told.layer_type, told.tactic_name, told.metadata))
    inputs, outputs = (
        tuple(_tensor(one) for one in side if isinstance(one, dict)) for side in (told.inputs, told.outputs)
    )
    weights = None if told.weights is None else ""
    if isinstance(told.weights, dict):
        weights = str(msgspec.convert(told.weights, Told).type)
    return Layer(*texts, weights, inputs, outputs)


def _tensor(tensor: dict) -> Tensor:
    told = msgspec.convert(tensor, ToldTensor)
    return Tensor(told.name, str(told.form or told.datatype or ""), tuple(told.dimensions or [-1]))


def precisions(layers: Iterable[Layer], names: Iterable[str]) -> dict[str, str]:
    """Map each ONNX node in `names` to the precision of the engine layer that computes it, `unknown` where none tells.

    Of several layers that name a node (reformats before it, pointwise work after it) the first that computes counts.
    """
    wanted, known = set(names), {}
    for layer in sorted(layers, key=_rank):
        for name in wanted & _nodes(layer):
            if known.get(name, "unknown") == "unknown":
                known[name] = precision(layer)
    return {name: known.get(name, "unknown") for name in sorted(wanted)}


def _rank(layer: Layer) -> int:
    """Order layers by how surely they compute a convolution: 0 with weights, 1 by type or kernel, 2 any other.

    What adds up the parts of a split sum (split-K) reads float32 whatever the kernel before it multiplied.
    """
    if layer.weights is not None:
        return 0
    kind = f"{layer.kind} {layer.tactic}".lower()
    reduces = re.search(r"split-?_?k", kind) and "reduc" in kind
    return 1 if re.search(r"conv|gemm|matmul|fprop|xmma", kind) and not reduces else 2


def _nodes(layer: Layer) -> set[str]:
    described = f"{layer.name} {layer.metadata}".replace("ONNX Layer:", " ")
    return set(re.split(SEPARATORS, described))


def precision(layer: Layer) -> str:
    """Name the precision in which a layer multiplies: of its weights, else its first input, else its kernel."""
    forms = [layer.weights or "", *(tensor.form for tensor in layer.inputs[:1])]
    told = [*map(spelled, forms), _of_kernel(layer.tactic)]
    return next((name for name in told if name != "unknown"), "unknown")


def _of_kernel(tactic: str) -> str:
    """Read the type of both factors off a kernel's name (sm80_xmma_fprop_implicit_gemm_f16f16_f16f16_f16_nhwc...)."""
    return next((name for name, pattern in KERNELS.items() if re.search(pattern, tactic, re.IGNORECASE)), "unknown")


def spelled(text: str) -> str:
    """Name the type that a format or a type of TensorRT's speaks of, `unknown` where it is none of SPELLINGS."""
    return next((name for name, pattern in SPELLINGS.items() if re.search(pattern, text, re.IGNORECASE)), "unknown")
