import numpy as np
import onnx
import pytest

from speedmap.graph import onnx_runtime, parts


@pytest.fixture
def model():
    text = """
        <ir_version: 8, opset_import: ["": 17]>
        whole (float[1, n] x) => (float[1, n] y) <float[1] two = {2}, float[1, n] a, float[1, n] b, float[1, n] c> {
            a = Mul(x, two)
            b = Add(a, x)
            c = Neg(a)
            y = Mul(b, c)
        }
    """
    return onnx.parser.parse_model(text)


def outputs(nodes):
    return [name for node in nodes for name in node.output]


def test_depending_nodes_are_all_that_a_change_reaches(model):
    assert outputs(parts.depending(model.graph.node, ["c"])) == ["y"]
    assert outputs(parts.depending(model.graph.node, ["a"])) == ["b", "c", "y"]


def test_leading_nodes_stop_at_what_is_known(model):
    assert outputs(parts.leading(model.graph.node, ["b"], ["x"])) == ["a", "b"]
    assert outputs(parts.leading(model.graph.node, ["b"], ["x", "a"])) == ["b"]
    assert parts.leading(model.graph.node, ["b"], ["b"]) == []


def test_a_part_computes_what_the_whole_does_from_what_it_reads_of_others(model):
    nodes = parts.depending(model.graph.node, ["a"])
    part = parts.part(model, nodes, ["y", "c"])
    assert [value.name for value in part.graph.input] == parts.read(nodes) == ["a", "x"]
    assert not part.graph.initializer
    x = np.array([[1, 2, 3]], np.float32)
    y, c = onnx_runtime.session(part.SerializeToString()).run(["y", "c"], {"a": 2 * x, "x": x})
    np.testing.assert_array_equal(c, -2 * x)
    np.testing.assert_array_equal(y, -6 * x * x)


def test_a_part_has_the_constants_that_it_reads(model):
    part = parts.part(model, parts.leading(model.graph.node, ["a"], ["x"]), ["a"])
    assert [tensor.name for tensor in part.graph.initializer] == ["two"]
    assert [value.name for value in part.graph.input] == ["x"]
