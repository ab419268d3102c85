from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import yaml
from onnx import helper, numpy_helper

import type_int8
from helpers.networks import SIZE
from speedmap.dataset import images
from speedmap.graph import export, onnx_runtime
from speedmap.graph.detector_graph import Graph, GraphError, noted
from speedmap.quantization import calibration, insert_qdq, qdq_plan, ranges
from speedmap.quantization.options import Options
from speedmap.quantization.qdq_plan import CONVENTIONS, TURING, PlanError
from speedmap.results import records
from speedmap.results.prepared import Choice
from speedmap.verification import validity


@pytest.fixture(scope="module")
def model(graph):
    return onnx.load(graph)


@pytest.fixture(scope="module", params=CONVENTIONS)
def quantized(request, model, statistics):
    return insert_qdq.quantize(model, statistics, Graph(model).head, request.param, Options())


def inputs_of(model, kind):
    producers = {name: node for node in model.graph.node for name in node.output}
    return {
        node.name: [producers.get(name) for name in node.input] for node in model.graph.node if node.op_type == kind
    }


def forms(model):
    """Return {tensor: {form: [readers]}} of the computed tensors, before what only rounds or converts them."""
    converting = ("QuantizeLinear", "DequantizeLinear", "Cast")
    producers = {name: node for node in model.graph.node for name in node.output}
    seen = {}
    for node in (node for node in model.graph.node if node.op_type not in converting):
        for name in filter(producers.__contains__, node.input):
            form = "rounded" if producers[name].op_type == "DequantizeLinear" else "float"
            while producers.get(name) is not None and producers[name].op_type in converting:
                name = producers[name].input[0]
            seen.setdefault(name, {}).setdefault(form, []).append(node.name)
    return seen


def test_graph_is_valid_and_its_input_and_output_stay(quantized, model):
    onnx.checker.check_model(quantized, full_check=True)
    assert quantized.graph.input == model.graph.input
    assert quantized.graph.output == model.graph.output
    assert quantized.opset_import[0].version == export.OPSET


def test_all_convolutions_but_the_head_read_dequantized_weights_and_inputs(quantized, model):
    head = Graph(model).head
    for name, (data, weight, _) in inputs_of(quantized, "Conv").items():
        assert (weight is None) == (name in head)
        if name not in head:
            assert weight.op_type == "DequantizeLinear"
            assert data.op_type in ("DequantizeLinear", "Concat", "MaxPool", "Resize")


def test_output_is_close_to_the_float_one(quantized, model, pictures):
    batches = [images.load(path, SIZE, True)[0] for path in pictures]
    runs = [onnx_runtime.opened(each) for each in (model, quantized)]
    exact, rounded = (np.concatenate([run(batch)[0, :, 4:] for batch in batches]) for run in runs)
    change = np.abs(exact - rounded).mean()
    assert 0 < change < 0.25 * exact.std()


def test_the_model_given_is_not_changed(model, statistics):
    before = model.SerializeToString()
    insert_qdq.quantize(model, statistics, [], "tensorrt", Options())
    assert model.SerializeToString() == before


def test_biases_that_convolutions_share_are_corrected_apart(model, statistics):
    plain = onnx.ModelProto()
    plain.CopyFrom(model)
    convs = [node for node in plain.graph.node if node.op_type == "Conv" and "cv1" in node.name]
    same = [node for node in convs if Graph(plain).weight(node.name).shape[0] == 8][:2]
    alone = insert_qdq.quantize(plain, statistics, [], "tensorrt", Options())
    alike = numpy_helper.to_array(next(t for t in plain.graph.initializer if t.name == same[0].input[2]))
    for tensor in plain.graph.initializer:
        if tensor.name == same[1].input[2]:
            tensor.CopyFrom(numpy_helper.from_array(alike, tensor.name))
    apart = insert_qdq.quantize(plain, statistics, [], "tensorrt", Options())
    same[1].input[2] = same[0].input[2]
    shared = insert_qdq.quantize(plain, statistics, [], "tensorrt", Options())
    for name in (f"{same[0].name}/bias", f"{same[1].name}/bias"):
        np.testing.assert_array_equal(*(Graph(each).constant(name) for each in (apart, shared)))
    assert len(alone.graph.initializer) == len(shared.graph.initializer)


def test_quantization_is_reproducible(model, statistics):
    first, second = (
        insert_qdq.quantize(model, statistics, [], "tensorrt", Options()).SerializeToString() for _ in range(2)
    )
    assert first == second


def test_weights_are_rounded_once_for_several_graphs_of_a_model(model, statistics, monkeypatch):
    head, weights = Graph(model).head, {}
    alone = insert_qdq.quantize(model, statistics, head, "openvino", Options())
    insert_qdq.quantize(model, statistics, [], "openvino", Options(), weights)
    assert weights.keys() == Graph(model).convs.keys()
    monkeypatch.delattr(insert_qdq.weight_rounding, "steps")
    assert insert_qdq.quantize(model, statistics, head, "openvino", Options(), weights) == alone


def test_tensorrt_has_signed_integers_without_zero_point_between_all_ops(model, statistics):
    result = insert_qdq.quantize(model, statistics, [], "tensorrt", Options())
    zeros = [numpy_helper.to_array(each) for each in result.graph.initializer if each.name.endswith("/zero")]
    assert {zero.dtype for zero in zeros} == {np.dtype(np.int8)}
    assert not any(zero.any() for zero in zeros)
    for data, _, _ in inputs_of(result, "Conv").values():
        assert data.op_type == "DequantizeLinear"


def test_openvino_has_unsigned_activations(model, statistics):
    result = insert_qdq.quantize(model, statistics, [], "openvino", Options())
    constants = {each.name: each.data_type for each in result.graph.initializer}
    for node in result.graph.node:
        if node.op_type == "QuantizeLinear":
            signed = constants[node.input[2]] == onnx.TensorProto.INT8
            assert signed == node.input[0].endswith("/weight")


@pytest.mark.parametrize("dialect", CONVENTIONS)
def test_tensors_that_are_joined_share_their_scale(model, statistics, dialect):
    result = insert_qdq.quantize(model, statistics, [], dialect, Options())
    scales = {each.name: numpy_helper.to_array(each) for each in result.graph.initializer}
    joins = {name: nodes for name, nodes in inputs_of(result, "Concat").items() if "model.24" not in name}
    assert joins
    for nodes in joins.values():
        read = [node for node in nodes if node.op_type == "DequantizeLinear"]
        assert len({float(scales[node.input[1]]) for node in read}) <= 1


def test_a_float_convolution_beside_an_eight_bit_one_reads_what_that_reads_in_tensorrt(model, statistics):
    exact, rounded = beside(insert_qdq.quantize(model, statistics, ["/model.17/cv1/conv/Conv"], "tensorrt", Options()))
    assert rounded.op_type == "DequantizeLinear"
    assert exact == rounded


def test_a_float_convolution_beside_an_eight_bit_one_reads_the_exact_tensor_in_openvino(model, statistics):
    result = insert_qdq.quantize(model, statistics, ["/model.17/cv1/conv/Conv"], "openvino", Options())
    exact, rounded = beside(result)
    assert exact.op_type == "Concat"
    assert rounded.op_type == "DequantizeLinear"
    producers = {name: node.op_type for node in result.graph.node for name in node.output}
    assert "DequantizeLinear" not in {producers[name] for name in exact.input}


def beside(result):
    """Return what makes the inputs of two convolutions that read one tensor."""
    reads = inputs_of(result, "Conv")
    return reads["/model.17/cv1/conv/Conv"][0], reads["/model.17/cv2/conv/Conv"][0]


@pytest.mark.parametrize(
    "kept", [[], ["/model.0/conv/Conv"], ["/model.2/cv1/conv/Conv", "/model.13/m/m.0/cv1/conv/Conv"]]
)
def test_every_tensor_but_the_float_heads_exists_in_one_form_for_tensorrt(model, statistics, kept):
    head = Graph(model).head
    result = insert_qdq.quantize(model, statistics, [*kept, *head], "tensorrt", Options())
    several = {tensor: made for tensor, made in forms(result).items() if len(made) > 1}
    shared = {Graph(model).convs[name].input[0] for name in head[:2]}  # with the convolutions that go on from there
    assert several.keys() == shared
    assert all(made.keys() == {"float", "rounded"} and set(made["float"]) <= set(head) for made in several.values())


@pytest.mark.parametrize("dialect", CONVENTIONS)
def test_the_range_of_a_tensor_can_be_of_another_method_than_that_of_all_others(model, statistics, dialect):
    detector, usual = Graph(model), insert_qdq.quantize(model, statistics, [], dialect, Options())
    tensor = detector.convs[detector.second[0]].input[0]
    result = insert_qdq.quantize(model, statistics, [], dialect, Options(), ranges_of={tensor: "max"})
    histogram, signed = statistics.histograms[tensor], CONVENTIONS[dialect].signed
    scales, before = (
        {each.name: numpy_helper.to_array(each) for each in made.graph.initializer if each.name.endswith("/scale")}
        for made in (result, usual)
    )
    assert scales[f"{tensor}/scale"] == np.float32(ranges.maximum(histogram, signed).step)
    assert scales[f"{tensor}/scale"] > before[f"{tensor}/scale"]
    changed = {name for name in scales if not np.array_equal(scales[name], before[name])}
    assert changed - {f"{detector.activated(tensor).output[0]}/scale"} == {f"{tensor}/scale"}  # and before its SiLU


def test_both_inputs_of_a_residual_are_rounded_each_on_its_own_scale_for_tensorrt(model, statistics):
    result = insert_qdq.quantize(model, statistics, Graph(model).head, "tensorrt", Options())
    scales = {each.name: numpy_helper.to_array(each) for each in result.graph.initializer}
    residuals = {name: nodes for name, nodes in inputs_of(result, "Add").items() if "/m/m." in name}
    assert len(residuals) == len(Graph(model).residuals) == 7
    for shortcut, fresh in residuals.values():
        assert shortcut.op_type == fresh.op_type == "DequantizeLinear"
        assert scales[shortcut.input[1]] != scales[fresh.input[1]]


@pytest.mark.parametrize(("dialect", "options"), [("tensorrt", Options(residuals="shortcut")), ("openvino", Options())])
def test_the_shortcut_alone_can_be_rounded(model, statistics, dialect, options):
    result = insert_qdq.quantize(model, statistics, Graph(model).head, dialect, options)
    residuals = [nodes for name, nodes in inputs_of(result, "Add").items() if "/m/m." in name]
    assert len(residuals) == 7
    assert all({node.op_type for node in nodes} == {"DequantizeLinear", "Mul"} for nodes in residuals)


def test_a_residual_around_a_float_convolution_is_rounded_on_one_side_only(model, statistics):
    conv = Graph(model).residuals[0].conv
    result = insert_qdq.quantize(model, statistics, [conv, *Graph(model).head], "tensorrt", Options())
    first = next(nodes for name, nodes in inputs_of(result, "Add").items() if "/model.2/m/m.0" in name)
    assert {node.op_type for node in first} == {"DequantizeLinear", "Mul"}


@pytest.mark.parametrize(
    ("tensorrt", "capability", "name"),
    [("8.6.1", "7.5", TURING), ("8.6.1", "9.0", "tensorrt"), ("10.16.1.11", "7.5", "tensorrt"),
     ("11.4.0.106", "7.5", "tensorrt"), (None, None, "tensorrt")],
)  # fmt: skip
def test_silu_is_apart_for_tensorrt_8_on_turing_alone(tensorrt, capability, name):
    assert qdq_plan.dialect("tensorrt", {"tensorrt": tensorrt, "compute_capability": capability}) == name


def test_what_an_eight_bit_convolution_gives_to_silu_is_rounded_where_they_are_two_kernels(model, statistics):
    head, island = Graph(model).head, "/model.2/cv1/conv/Conv"
    before_head = Graph(model).activated(Graph(model).convs[head[-1]].input[0]).name  # which nothing else reads
    for name in ("tensorrt", TURING):
        graph = Graph(insert_qdq.quantize(model, statistics, [island, *head], name, Options()))
        for conv in Graph(model).convs.keys() - head:
            given = graph.convs[conv].output[0]
            apart = name == TURING and conv not in (island, before_head)
            readers = {reader.op_type for reader in graph.consumers[given]}
            assert readers == ({"QuantizeLinear"} if apart else {"Sigmoid", "Mul"})
            assert not apart or float(graph.constant(f"{given}/scale")) >= np.float32(6 / 127)


@pytest.mark.parametrize("form", ["constant", "relu", "itself"])
def test_a_residual_of_another_form_is_left_alone(model, statistics, form):
    other = onnx.ModelProto()
    other.CopyFrom(model)
    fresh = Graph(other).residuals[0].fresh
    add = next(node for node in other.graph.node if node.op_type == "Add" and fresh in node.input)
    if form == "relu":
        gate = next(node for node in other.graph.node if node.op_type == "Sigmoid" and node.output[0] in
                    Graph(other).producers[fresh].input)  # fmt: skip
        gate.op_type = "HardSigmoid"
    else:
        other.graph.initializer.append(numpy_helper.from_array(np.float32(1), "one"))
        add.input[:] = [fresh, "one" if form == "constant" else fresh]
    assert fresh not in {residual.fresh for residual in Graph(other).residuals}
    result = insert_qdq.quantize(other, statistics, Graph(other).head, "tensorrt", Options())
    onnx.checker.check_model(result, full_check=True)
    assert f"{fresh}/scale" not in {tensor.name for tensor in result.graph.initializer}


def test_a_scale_that_calibration_did_not_see_is_refused_by_name(model, statistics):
    fresh = Graph(model).residuals[0].fresh
    kept = {name: each for name, each in statistics.histograms.items() if name != fresh}
    with pytest.raises(PlanError, match=f"did not see tensor {fresh}; .* delete them"):
        insert_qdq.quantize(model, replace(statistics, histograms=kept, scales={}), [], "tensorrt", Options())


def test_keeping_all_in_float_changes_nothing(model, statistics, pictures):
    result = insert_qdq.quantize(model, statistics, list(Graph(model).convs), "tensorrt", Options())
    assert [node.op_type for node in result.graph.node] == [node.op_type for node in model.graph.node]
    batch, _ = images.load(pictures[0], SIZE, True)
    np.testing.assert_array_equal(onnx_runtime.opened(result)(batch), onnx_runtime.opened(model)(batch))


def test_defaults_are_those_of_the_schema():
    schema = yaml.safe_load(Path("workflow/schemas/config.schema.yaml").read_text())["properties"]["int8"]["properties"]
    assert {name: option["default"] for name, option in schema.items() if name != "method"} == asdict(Options())
    assert schema["range"]["enum"] == list(ranges.METHODS)
    assert schema["least_share"]["minimum"] == validity.LEAST_SHARE  # with less, every INT8 cell is invalid


def test_statistics_of_another_model_are_an_error(model, statistics):
    other = type(statistics)({}, {}, {}, {}, {}, {})
    with pytest.raises(PlanError, match="another model"):
        insert_qdq.quantize(model, other, [], "openvino", Options(bias_correction=False, compensate=False))


def test_the_file_of_a_cell_tells_what_its_choice_was_to_meet(model, statistics, graph, tmp_path):
    facts = {"target": 0.5, "reached": 0.7, "met": False, "int8_share": 0.95}
    choice = Choice(in_float=Graph(model).head, table=[], **facts)
    records.write(tmp_path / "choice.json", choice)
    statistics.save(tmp_path / "statistics.npz")
    for dialect in CONVENTIONS:
        out = tmp_path / f"{dialect}.onnx"
        type_int8.type_int8(dialect, graph, {}, out, tmp_path / "statistics.npz", tmp_path / "choice.json")
        assert noted(onnx.load(out)) == facts
    assert noted(model) == {}


def test_a_graph_without_a_head_is_an_error():
    image, out = (helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 3, 8, 8]) for name in ("x", "y"))
    plain = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "plain", [image], [out])
    with pytest.raises(GraphError, match="no detection head"):
        Graph(helper.make_model(plain)).head  # noqa: B018


@pytest.mark.parametrize("dialect", CONVENTIONS)
@pytest.mark.parametrize("left", ["", "bias"])
def test_a_convolution_of_zero_weights_is_quantized_like_any_other(graph, pictures, tmp_path, dialect, left):
    path, loaded = tmp_path / "dead.onnx", onnx.load(graph)
    conv = next(node for node in loaded.graph.node if node.name.endswith("model.2/cv1/conv/Conv"))
    for tensor in loaded.graph.initializer:
        if tensor.name in conv.input[1 : 2 if left else 3]:
            tensor.CopyFrom(numpy_helper.from_array(0 * numpy_helper.to_array(tensor), tensor.name))
    onnx.save(loaded, path)
    found = calibration.collect(path, pictures, SIZE)
    result = insert_qdq.quantize(loaded, found, Graph(loaded).head, dialect, Options())
    constants = {each.name: numpy_helper.to_array(each) for each in result.graph.initializer}
    biases = [value for name, value in constants.items() if name.endswith("/bias")]
    assert max(abs(value).max() for value in biases) < 50
