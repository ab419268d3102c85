"""Write a precision into an ONNX graph, so that no engine builder needs to choose one."""

import onnx
from onnx.compose import merge_models
from onnx.utils import Extractor
from onnxruntime.transformers.float16 import convert_float_to_float16
from onnxruntime.transformers.onnx_model import OnnxModel

HALF_SCALES = 19  # the first opset in which (de)quantization may give float16


def half(model: onnx.ModelProto) -> onnx.ModelProto:
    """Type a float32 detector as float16 up to its last convolutions; inputs, outputs and decoding stay float32.

    Decoding stays because float16 resolves coordinates beyond 512 pixels to half a pixel only. Raises ValueError for a
    graph that has no convolution.
    """
    cut = last_convolutions(model)
    if any(node.op_type == "QuantizeLinear" for node in model.graph.node):
        model.opset_import[0].version = max(model.opset_import[0].version, HALF_SCALES)
    graph = Extractor(model)
    inputs, outputs = ([value.name for value in values] for values in (model.graph.input, model.graph.output))
    body = OnnxModel(convert_float_to_float16(graph.extract_model(inputs, cut), keep_io_types=True))
    body.topological_sort()  # the converter appends its casts at the end
    tail = graph.extract_model(cut, outputs)
    for part in (body.model, tail):
        del part.graph.value_info[:]  # what both know of the cut would count as a clash of names
    return merge_models(body.model, tail, [(name, name) for name in cut])


def last_convolutions(model: onnx.ModelProto) -> list[str]:
    """Name the outputs of the convolutions that no other convolution depends on: the head's, one a stride."""
    convolved, last = set(), []
    for node in reversed(model.graph.node):  # topological order, so consumers come first
        follows = convolved.intersection(node.output)
        if node.op_type == "Conv" and not follows:
            last.append(node.output[0])
        if node.op_type == "Conv" or follows:
            convolved.update(node.input)
    if not last:
        raise ValueError("no convolution in the graph")
    return last[::-1]
