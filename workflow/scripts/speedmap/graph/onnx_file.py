"""ONNX files from strangers, read as data and in one spelling, or refused by what they are."""

import ast
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from speedmap import storage
from speedmap.graph.detector_graph import GraphError

LARGEST = 2**31 - 1  # bytes: what protobuf itself can hold; yolov5x has 350 MB
MOST_VALUES = 10**8  # in what a constant asks to be filled, resized or counted to; an anchor's grid has 10^5
LONGEST_NAMES = 10**6  # characters
GROWING = ("ConstantOfShape", "Expand", "Range", "Resize", "Tile", "Upsample")
FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16)
OPERATORS = {  # all that exports of a YOLOv5 have, from opset 11 on, simplified or not; none of them runs code
    *GROWING, "Add", "And", "Cast", "Concat", "Constant", "Conv", "Div", "Equal", "Flatten", "Floor", "Gather",
    "Greater", "Identity", "Less", "Max", "MaxPool", "Min", "Mod", "Mul", "Neg", "Not", "Or", "Pow", "Reshape",
    "ScatterND", "Shape", "Sigmoid", "Slice", "Split", "Squeeze", "Sub", "Swish", "Transpose", "Unsqueeze", "Where",
}  # fmt: skip
OTHERS = {
    "NonMaxSuppression": "has NMS in it, which is measured apart", "QuantizeLinear": "is in INT8 already",
    "DequantizeLinear": "is in INT8 already", "BatchNormalization": "has batch norms of their own, as in training",
    "Gemm": "is a classifier", "GlobalAveragePool": "is a classifier", "Softmax": "is of another package (YOLOv8 ...)",
    "ConvTranspose": "is a segmentation network",
    **dict.fromkeys(("HardSwish", "LeakyRelu", "Relu", "Mish", "Clip"), "has another activation than SiLU"),
}  # fmt: skip
WEIGHTS = (".pt", ".pth", ".safetensors")
AGAIN = "export the detector with YOLOv5's export.py --include onnx, without --nms, --int8 and --train"


def load(path: Path) -> ModelProto:
    """Read an ONNX file that holds all of itself and only what a YOLOv5 is made of; GraphError for any other.

    Constants come as initializers, without copies of them, and every node has a name of its own.
    """
    if not path.is_file():
        raise GraphError(f"{path}: is {'a folder' if path.is_dir() else 'not there'}; give the .onnx file")
    if what := storage.pretender(path):
        raise GraphError(f"{path}: is {what}")
    if (size := path.stat().st_size) > LARGEST:
        raise GraphError(f"{path}: has {size / 1e9:.1f} GB, more than an ONNX file can; give the detector's own file")
    try:
        model = onnx.load(path, load_external_data=False)
        wrong = _stranger(model)
        if not wrong:
            onnx.checker.check_model(model)
            _spell(model)
    except (DecodeError, onnx.checker.ValidationError, ValueError, TypeError, RecursionError) as error:
        cause = " ".join(str(error).split())[:200]
        remedy = "name it by `weights`" if path.suffix in WEIGHTS else "copy it again"
        raise GraphError(f"{path}: no ONNX file, or a damaged one ({cause}); {remedy}") from error
    if wrong:
        raise GraphError(f"{path}: {wrong}")
    return model


def names(path: Path, model: ModelProto) -> object:
    """Return the class names that export.py has noted, a literal of Python's; None where there are none."""
    text = {entry.key: entry.value for entry in model.metadata_props}.get("names", "None")[:LONGEST_NAMES]
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
        raise GraphError(f"{path}: its metadata has no list of names, but {text[:50]!r}; export it again") from error


def _stranger(model: ModelProto) -> str | None:
    """Name what in a file is not as in the ONNX of a YOLOv5, and the remedy."""
    if not model.graph.node:
        return f"no network in it, or no ONNX file; {AGAIN}"
    tensors = [*model.graph.initializer, *(entry.t for node in model.graph.node for entry in node.attribute)]
    if model.graph.sparse_initializer or any(tensor.data_location == TensorProto.EXTERNAL for tensor in tensors):
        return "its weights lie in other files (external data); save it in one: onnx.save(onnx.load(file), other)"
    if model.functions or (domains := [node for node in model.graph.node if node.domain not in ("", "ai.onnx")]):
        node = domains[0] if not model.functions else model.functions[0]
        return f"has operators of its own ({node.domain[:50]}); {AGAIN}"
    for node in model.graph.node:
        if node.op_type not in OPERATORS:
            return f"{OTHERS.get(node.op_type, 'is no YOLOv5')} ({node.op_type[:50]}); {AGAIN}"
    return _ends(model)


def _ends(model: ModelProto) -> str | None:
    """Name what is wrong with the input and the output, which are an image and rows of boxes."""
    fixed = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in fixed]
    sides = [_shape(value) for value in inputs]
    if any(value.type.tensor_type.elem_type not in FLOATS for value in (*inputs, *model.graph.output)):
        return f"its input and output are neither float32 nor float16; {AGAIN}"
    if len(sides) != 1 or len(sides[0]) != 4 or sides[0][0] > 1 or sides[0][1] not in (0, 3):
        return f"its inputs are {_said(inputs)}, not one image [1, 3, height, width]; {AGAIN}, and --batch-size 1"
    if any(side % 32 or side > 4096 for side in sides[0][2:]):
        return f"its input is {_said(inputs)}, whose sides are no multiples of 32 up to 4096; {AGAIN}"
    outputs = [value for value in model.graph.output if len(_shape(value)) in (0, 3)]
    others = [value for value in model.graph.output if len(_shape(value)) not in (0, 3, 5)]
    if len(outputs) == 1 and not others:
        return None
    kind = "is a segmentation network" if outputs and others else "has no boxes as its output"
    return f"{kind} ({_said(model.graph.output)}), where [1, anchors, 5 + classes] is known; {AGAIN}"


def _shape(value: onnx.ValueInfoProto) -> list[int]:
    return [dim.dim_value for dim in value.type.tensor_type.shape.dim]


def _said(values: list[onnx.ValueInfoProto]) -> str:
    return ", ".join(f"{value.name} {_shape(value)}" for value in values)[:200]


def output(model: ModelProto) -> str:
    """Name the output that has the boxes; exports of v6.0 and before have the raw features of each stride beside it."""
    return next(value.name for value in model.graph.output if len(_shape(value)) in (0, 3))


def _spell(model: ModelProto) -> None:
    """Write constants as initializers, replace copies by what they copy, and number the nodes."""
    graph, copies, kept = model.graph, {}, []
    for number, node in enumerate(graph.node):
        node.name = str(number)
        node.input[:] = [copies.get(name, name) for name in node.input]
        if node.op_type == "Constant":
            graph.initializer.append(numpy_helper.from_array(_constant(node), node.output[0]))
        elif node.op_type == "Identity" and node.output[0] not in {value.name for value in graph.output}:
            copies[node.output[0]] = node.input[0]
        else:
            kept.append(node)
    _check_growth(graph, kept)
    del graph.node[:]
    graph.node.extend(kept)


def _constant(node: NodeProto) -> np.ndarray:
    value = helper.get_attribute_value(node.attribute[0])
    return numpy_helper.to_array(value) if isinstance(value, TensorProto) else np.asarray(value)


def _check_growth(graph: onnx.GraphProto, nodes: list[NodeProto]) -> None:
    """Refuse what a few bytes would let grow beyond any memory."""
    read = {name for node in nodes if node.op_type in GROWING for name in node.input}
    for tensor in graph.initializer:
        asks = tensor.name in read and tensor.data_type in (TensorProto.INT32, TensorProto.INT64)
        if asks and np.prod(np.abs(numpy_helper.to_array(tensor).astype(float)).clip(1)) > MOST_VALUES:
            raise ValueError(f"{tensor.name[:50]} asks for more values than memory holds")
