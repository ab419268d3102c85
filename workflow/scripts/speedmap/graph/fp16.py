"""Write a precision into an ONNX graph, so that no engine builder needs to choose one."""

import onnx
from onnx.compose import merge_models
from onnx.utils import Extractor
from onnxruntime.transformers.float16 import convert_float_to_float16
from onnxruntime.transformers.onnx_model import OnnxModel

from speedmap.graph.detector_graph import Graph

HALF_SCALES = 19  # the first opset in which (de)quantization may give float16


def to_fp16(model: onnx.ModelProto) -> onnx.ModelProto:
    """Type a float32 detector as float16 up to its last convolutions; inputs, outputs and decoding stay float32.

    Decoding stays because float16 resolves coordinates beyond 512 pixels to half a pixel only. Raises GraphError for a
    graph that has no detection head.
    """
    named = Graph(model)
    cut = [named.convs[name].output[0] for name in named.head]
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
