from speedmap.engines.tensorrt import lint
from speedmap.engines.tensorrt.inspector import described

FP16, INT8 = (
    "Channel major FP16 format where channel % 8 == 0",
    "Thirty-two wide channel vectorized row major Int8 format",
)
FP32 = "Row major linear FP32"


def tensor(name, kind, *dimensions):
    return {"Name": name, "Format/Datatype": kind, "Dimensions": list(dimensions) or [1, 32, 4, 4]}


def layer(kind, reads, gives, **more):
    return described({"Name": f"{kind} {gives}", "LayerType": kind, "Inputs": reads, "Outputs": gives, **more})


def conv(reads, gives, weights="Int8"):
    return layer("CaskConvolution", [reads], [gives], Weights={"Type": weights, "Count": 9})


def reformat(reads, gives):
    return layer("Reformat", [reads], [gives])


def test_an_engine_of_one_form_has_nothing_to_say():
    layers = [conv(tensor("a", INT8), tensor("b", INT8)), conv(tensor("b", INT8), tensor("c", INT8))]
    nothing = {"int8_to_float": 0, "reformats": 0, "reformat_bytes": 0, "pointwise": 0, "several_forms": 0}
    assert lint.lint(layers) == nothing


def test_eight_bit_convolutions_that_give_floats_are_counted():
    layers = [
        conv(tensor("a", INT8), tensor("b", FP32)),
        conv(tensor("a", INT8), tensor("c", FP16)),
        conv(tensor("a", FP16), tensor("d", FP16), "Half"),
        layer("PointWiseV2", [tensor("b", FP32)], [tensor("e", FP16)]),
    ]
    assert lint.lint(layers)["int8_to_float"] == 2
    assert lint.lint(layers)["pointwise"] == 1


def test_reformats_are_counted_with_what_they_read_and_write():
    layers = [reformat(tensor("images", FP32, 1, 3, 8, 8), tensor("copy", FP16, 1, 3, 8, 8))]
    assert lint.lint(layers)["reformats"] == 1
    assert lint.lint(layers)["reformat_bytes"] == 3 * 64 * (4 + 2)


def test_bytes_of_free_shapes_are_not_known():
    layers = [reformat(tensor("images", FP32, 1, 3, -1, -1), tensor("copy", FP16, 1, 3, -1, -1))]
    assert lint.lint(layers) | {"reformats": 1, "reformat_bytes": None} == lint.lint(layers)


def test_a_tensor_is_in_several_forms_when_it_is_read_as_it_is_and_converted():
    layers = [
        conv(tensor("a", INT8), tensor("b", FP16)),
        reformat(tensor("b", FP16), tensor("b int8", INT8)),
        reformat(tensor("b int8", INT8), tensor("b again", INT8)),
        conv(tensor("b again", INT8), tensor("c", INT8)),
    ]
    assert lint.lint(layers)["several_forms"] == 0  # converted once, for its only reader
    assert lint.read_forms(layers)["b"] == {INT8}
    layers.append(layer("PointWiseV2", [tensor("b", FP16)], [tensor("d", FP16)]))
    assert lint.lint(layers)["several_forms"] == 1
    assert lint.read_forms(layers)["b"] == {INT8, FP16}


def test_names_that_go_round_in_a_circle_end():
    layers = [reformat(tensor("a", FP16), tensor("b", INT8)), reformat(tensor("b", INT8), tensor("a", FP16))]
    layers.append(conv(tensor("a", FP16), tensor("c", FP16)))
    assert lint.lint(layers)["several_forms"] == 0


def test_layers_without_details_say_nothing():
    assert lint.lint([described({"Name": "x"})])["several_forms"] == 0
