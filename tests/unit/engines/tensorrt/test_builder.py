from types import SimpleNamespace

import pytest
from onnx import helper

from helpers.weakly_typed import typed
from speedmap.engines.tensorrt import builder
from speedmap.engines.tensorrt.builder_config import Options
from speedmap.engines.tensorrt.library import EngineError


def test_the_parsers_errors_name_node_and_operator():
    node = helper.make_node("Einsum", ["a"], ["b"], name="/model.0/Einsum")
    model = helper.make_model(helper.make_graph([node], "g", [], []))
    old = SimpleNamespace(node=lambda: 0, desc=lambda: "no importer registered")
    parser = SimpleNamespace(num_errors=1, get_error=lambda index: old)
    assert builder.parser_errors(parser, model) == ["node /model.0/Einsum (Einsum): no importer registered"]


def test_static_profiles_are_dynamic_ones_with_equal_bounds():
    assert set(builder.profile((480, 640), 640, False)) == {(1, 3, 640, 640)}
    assert set(builder.profile((480, 640), 640, False, 8)) == {(8, 3, 640, 640)}
    assert builder.profile((480, 640), 640, True) == ((1, 3, 32, 32), (1, 3, 480, 640), (1, 3, 640, 640))


class Layer:
    """Stands in for a layer of TensorRT's network with one output."""

    def __init__(self, name, dtype="float", kind="other"):
        self.type = kind
        self.output, self.types = SimpleNamespace(name=name, dtype=dtype, is_shape_tensor=False), []
        self.num_outputs, self.precision = 1, None

    def get_output(self, _position):
        return self.output

    def set_output_type(self, _position, precision):
        self.types.append(precision)


@pytest.mark.parametrize("told", ["float16", "float32"])
def test_a_tensorrt_without_strong_types_is_told_both_float_types(monkeypatch, told):
    trt = SimpleNamespace(
        DataType=SimpleNamespace(FLOAT="float", HALF="half"), LayerType=SimpleNamespace(QUANTIZE="q", DEQUANTIZE="dq")
    )
    monkeypatch.setattr(builder, "load", lambda: trt)
    model = typed()
    model.graph.node[4].input[0] = "half"
    layers = [Layer("conv"), Layer("output"), Layer("output", "int32"), Layer("q", "int8", "q"), Layer("dq", kind="dq")]
    network = SimpleNamespace(num_layers=len(layers), get_layer=layers.__getitem__)
    options = Options(rounding=told)
    rounding = "half" if told == "float16" else None
    assert builder._pin_types(network, model, None, options) == {
        "float32": 1, "float16": 1, "rounding": 2 if rounding else 0}  # fmt: skip
    assert [layer.precision for layer in layers] == ["half", "float", None, rounding, None]
    assert [layer.types for layer in layers] == [["half"], ["float"], [], [], ["half"] if rounding else []]


def test_a_builder_that_does_not_start_says_what_tensorrt_said(monkeypatch):
    def refuse(_log):
        raise TypeError("pybind11::init(): factory function returned nullptr")

    monkeypatch.setattr(builder, "load", lambda: SimpleNamespace(Builder=refuse))
    with pytest.raises(EngineError, match="no GPU, or a driver too old"):
        builder._builder(SimpleNamespace(errors=[]))
    said = ["Internal Error (Assertion validateCaskKLibDigest(sha256sum) failed. )"]
    with pytest.raises(EngineError, match=r"builder resource is missing, damaged.*install"):
        builder._builder(SimpleNamespace(errors=said))
