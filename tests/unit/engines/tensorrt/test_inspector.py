import json

import pytest

from speedmap.engines.tensorrt import inspector
from speedmap.graph import multiply_adds

# As TensorRT 8.6 prints them: raw separators (0x1f) between the fused ONNX layers, layout sentences for types.
CONV = (
    '{"Name": "/model.1/conv/Conv + PWN(PWN(/model.1/act/Sigmoid), /model.1/act/Mul)",'
    '"LayerType": "CaskConvolution",'
    '"Inputs": [{"Name": "a", "Dimensions": [1,16,320,320],'
    '"Format/Datatype": "Channel major FP16 format where channel % 8 == 0"}],'
    '"Outputs": [{"Name": "b", "Format/Datatype": "Channel major FP16 format where channel % 8 == 0"}],'
    '"ParameterType": "Convolution", "Kernel": [3,3], "Groups": 1,'
    '"Weights": {"Type": "Half", "Count": 4608}, "Bias": {"Type": "Half", "Count": 32},'
    '"TacticName": "sm80_xmma_fprop_implicit_gemm_f16f16_f16f16_f16_nhwckrsc_nhwc",'
    '"Metadata": "[ONNX Layer: /model.1/conv/Conv]\x1f[ONNX Layer: /model.1/act/Sigmoid]"}'
)
MERGED = (
    '{"Name": "w0 + w0_quantize + /model.2/cv1/conv/Conv || w1 + w1_quantize + /model.2/cv2/conv/Conv",'
    '"LayerType": "CaskConvolution",'
    '"Inputs": [{"Name": "b", "Format/Datatype": "Thirty-two wide channel vectorized row major Int8 format"}],'
    '"Weights": {"Type": "Int8", "Count": 1024}, "Metadata": ""}'
)
REFORMAT = (
    '{"Name": "Reformatting CopyNode for Input Tensor 0 to /model.1/conv/Conv + PWN(x)", "LayerType": "Reformat",'
    '"Inputs": [{"Name": "images", "Format/Datatype": "Row major linear FP32"}], "Metadata": ""}'
)
ENGINE_8 = '{"Layers": [' + ",\n".join((REFORMAT, CONV, MERGED)) + '],\n"Bindings": ["images", "output"]\n}'

ENGINE_10 = json.dumps({
    "Layers": [
        {
            "Name": "/model.1/conv/Conv_myl0_3",
            "LayerType": "gemm",
            "Inputs": [{"Name": "x", "Format/Datatype": "BFloat16"}, {"Name": "w", "Format/Datatype": "Float"}],
            "Metadata": "[ONNX Layer: /model.1/conv/Conv]\u001e[ONNX Layer: /model.1/act/Mul]",
        },
        {
            "Name": "__myl_Move_0",
            "LayerType": "kgen",
            "Inputs": [{"Name": "images", "Format/Datatype": "Float"}],
            "Metadata": "[ONNX Layer: /model.1/conv/Conv]",
        },
    ],
    "I/O Tensors": ["images"],
})  # fmt: skip


def test_fused_and_merged_convolutions_of_8_6_are_found_under_their_onnx_names():
    names = ["/model.1/conv/Conv", "/model.2/cv1/conv/Conv", "/model.2/cv2/conv/Conv"]
    found = inspector.precisions(inspector.parse(ENGINE_8), names)
    assert found == {names[0]: "fp16", names[1]: "int8", names[2]: "int8"}


def test_reformats_before_a_convolution_do_not_speak_for_it():
    layers = inspector.parse(ENGINE_8)
    for order in (layers, layers[::-1]):
        assert inspector.precisions(order, ["/model.1/conv/Conv"]) == {"/model.1/conv/Conv": "fp16"}


def test_kernels_of_10_are_found_through_their_metadata():
    layers = inspector.parse(ENGINE_10)
    for order in (layers, layers[::-1]):
        assert inspector.precisions(order, ["/model.1/conv/Conv"]) == {"/model.1/conv/Conv": "bf16"}


def test_a_name_that_another_begins_with_is_not_confused_with_it():
    assert inspector.precisions(inspector.parse(ENGINE_8), ["/conv/Conv", "/model.1/conv"]) == {
        "/conv/Conv": "unknown",
        "/model.1/conv": "unknown",
    }


def test_an_engine_without_details_knows_no_precision():
    assert inspector.parse('{"Layers": ["/model.1/conv/Conv + Relu",\n "x",\n]}') == []


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Row major linear FP32", "fp32"),
        ("Float", "fp32"),
        ("Half", "fp16"),
        ("Two wide channel vectorized row major FP16 format", "fp16"),
        ("Four wide channel vectorized row major Int8 format", "int8"),
        ("BFloat16", "bf16"),
        ("FP8", "fp8"),
        ("Row major Int32 format", "unknown"),
        ("", "unknown"),
    ],
)
def test_every_spelling_of_a_type_is_read(text, name):
    assert inspector.precision(inspector.described({"Inputs": [{"Format/Datatype": text}]})) == name


def kernel(kind, tactic, datatype, nodes="/model.3/conv/Conv"):
    """Describe a layer as TensorRT 11 does: type and format apart, no weights where Myelin compiled it."""
    tensor = {"Name": "x", "Location": "Device", "Dimensions": [1, 64, 80, 80], "Datatype": datatype, "Format": "NHWC"}
    metadata = "".join(f"[ONNX Layer: {node}]" for node in nodes.split())
    return {"Name": f"{nodes}_myl0_7", "LayerType": kind, "Inputs": [tensor], "Outputs": [tensor],
            "TacticName": tactic, "StreamId": 0, "Metadata": metadata}  # fmt: skip


HALF = "sm80_xmma_fprop_implicit_gemm_f16f16_f16f16_f16_nhwckrsc_nhwc_tilesize64x64x32_stage5"
EIGHT = "sm80_xmma_fprop_implicit_gemm_interleaved_i8i8_i8i32_f32_nchw_vect_c_32kcrs_vect_c_32_nchw_vect_c_32"
SUM = "sm80_xmma_fprop_implicit_gemm_splitK_reduction_f32f32_f16"


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ([kernel("gemm", HALF, "Half"), kernel("gemm", SUM, "Float")], "fp16"),
        ([kernel("gemm", HALF, "Half"), kernel("gemm", "sm80_xmma_gemm_f32f32", "Float")], "fp16"),
        ([kernel("kgen", "__myl_Cast_0xf2", "Float"), kernel("conv", EIGHT, "Int8")], "int8"),
        ([kernel("conv", EIGHT, "")], "int8"),
        ([kernel("conv", HALF, "Format not available due to dynamic shapes")], "fp16"),
        ([kernel("kgen", "__myl_MulAdd_0xf2", "")], "unknown"),
    ],
    ids=["sum of a split", "first kernel", "cast before", "by kernel", "hidden format", "untold"],
)
def test_kernels_that_11_compiles_speak_for_their_convolution(layers, expected):
    text = json.dumps({"Layers": layers, "Bindings": ["images", "output"]})
    assert inspector.precisions(inspector.parse(text), ["/model.3/conv/Conv"]) == {"/model.3/conv/Conv": expected}


def test_the_shares_of_an_engine_of_11_are_those_of_its_convolutions():
    layers = [
        kernel("conv", EIGHT, "Int8", "a b"),
        kernel("gemm", HALF, "Half", "c"),
        kernel("gemm", SUM, "Float", "c"),
    ]
    operations = {"a": 50, "b": 25, "c": 25}
    found = inspector.precisions(inspector.parse(json.dumps({"Layers": layers})), operations)
    assert multiply_adds.shares(operations, found) == {"int8": 0.75, "fp16": 0.25}
