"""ONNX files as export.py writes them, in the forms that exporters give one network, and files that are none."""

from copy import deepcopy
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from helpers import exported, pickled
from speedmap.graph import export, given_onnx, onnx_file
from speedmap.graph.detector_graph import GraphError
from speedmap.model import checkpoint, weights, yolov5
from speedmap.model.yolov5 import Bottleneck

NAMES = dict(enumerate("abcdefgh"))
SAMPLE, SHARED = (Path(__file__).parents[levels] / name for levels, name in ((3, "sample"), (4, "shared")))


@pytest.fixture(scope="module")
def network():
    """A trained network, whose boxes and scores tell when something computes otherwise."""
    return yolov5.build(checkpoint.load(SAMPLE / "yolov5s-mini.safetensors").tensors)


@pytest.fixture(scope="module")
def plain(network, tmp_path_factory):
    """The file that most have: static, float32, opset 12; tests that change it copy it first."""
    return exported.write(deepcopy(network), tmp_path_factory.mktemp("plain") / "best.onnx", names=NAMES)


@pytest.fixture
def photos():
    return sorted((SAMPLE / "calibration").iterdir())[:2]


def rebuilt(given):
    return yolov5.build(checkpoint.given(given.path, given.tensors, given.names).tensors)


@pytest.mark.parametrize(
    "options",
    [
        {"opset": 11, "form": "slices"},
        {"opset": 12, "dynamic": True, "simplify": True},
        {"opset": 20, "dynamic": True, "form": "slices"},
        {"opset": 17, "sides": (64, 96)},
    ],
    ids=["v6.0", "simplified dynamic", "opset 20", "oblong"],
)
def test_the_weights_come_back_to_the_bit(network, tmp_path, photos, options):
    given = given_onnx.read(exported.write(deepcopy(network), tmp_path / "best.onnx", names=NAMES, **options))
    expected = network.state_dict()
    assert set(given.tensors) == set(expected)
    assert all(np.array_equal(given.tensors[name], value) for name, value in expected.items())
    assert given.names == NAMES
    assert given.sides == ((0, 0) if options.get("dynamic") else options.get("sides", (64, 64)))
    assert given_onnx.difference(given, rebuilt(given), photos, 64)["box_px"] < 0.01


def test_float16_comes_back_as_it_was_rounded(network, tmp_path, photos):
    given = given_onnx.read(exported.write(deepcopy(network), tmp_path / "best.onnx", half=True))
    for name, value in deepcopy(network).half().state_dict().items():
        assert np.allclose(given.tensors[name], value.float().numpy(), rtol=1e-3), name
    assert given_onnx.difference(given, rebuilt(given), photos, 64)["score"] < 0.02
    assert given.names is None


def test_a_network_with_the_stem_and_the_pyramid_of_v5_is_read(tmp_path, photos):
    module = pickled.network(channels=(8, 16, 16, 32, 32), depth=2, focus=True)
    for part in [part for part in module.modules() if hasattr(part, "bn")]:
        part.conv = torch.nn.utils.fusion.fuse_conv_bn_eval(part.conv, part.bn)
        del part.bn
    given = given_onnx.read(exported.write(module, tmp_path / "best.onnx", opset=17))
    assert given_onnx.difference(given, rebuilt(given), photos, 64)["box_px"] < 0.01


def test_constants_in_nodes_and_copies_of_them_are_read(plain, network, tmp_path):
    model = onnx.load(plain)
    held = {tensor.name: tensor for tensor in model.graph.initializer}
    name = next(node for node in model.graph.node if node.op_type == "Conv").input[1]
    model.graph.initializer.remove(held[name])
    moved = helper.make_node(
        "Constant", [], ["elsewhere"], value=numpy_helper.from_array(numpy_helper.to_array(held[name]))
    )
    model.graph.node.insert(0, moved)
    model.graph.node.insert(1, helper.make_node("Identity", ["elsewhere"], [name]))
    onnx.save(model, tmp_path / "best.onnx")
    given = given_onnx.read(tmp_path / "best.onnx")
    assert np.array_equal(given.tensors["model.0.conv.weight"], network.state_dict()["model.0.conv.weight"])


def test_what_is_written_is_what_its_checkpoint_gives(network, plain, tmp_path):
    given = given_onnx.read(plain)
    content = checkpoint.given(plain, given.tensors, given.names)
    facts = weights.normalise("m", str(plain), list("abcdefgh"), tmp_path / "onnx.safetensors", content)
    torch.save({"state_dict": network.state_dict(), "names": list("abcdefgh")}, tmp_path / "best.pt")
    weights.normalise("m", str(tmp_path / "best.pt"), list("abcdefgh"), tmp_path / "pt.safetensors")
    assert (tmp_path / "onnx.safetensors").read_bytes() == (tmp_path / "pt.safetensors").read_bytes()
    assert (facts.names, facts.random) == (list("abcdefgh"), False)


def test_a_network_without_shortcuts_where_a_yolov5_has_some_is_refused_by_running_it(network, tmp_path, photos):
    network = deepcopy(network)
    for block in network.model[2].modules():
        if isinstance(block, Bottleneck):
            block.shortcut = False
    given = given_onnx.read(exported.write(network, tmp_path / "best.onnx"))
    with pytest.raises(export.ExportError, match=r"best\.onnx: differs from torch .* give the checkpoint that it came"):
        given_onnx.difference(given, rebuilt(given), photos, 64)


def changed(plain, tmp_path, change):
    model = onnx.load(plain)
    change(model)
    path = tmp_path / "best.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def external(model):
    tensor = model.graph.initializer[0]
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../etc/passwd")


def foreign(model):
    model.graph.node[0].domain = "com.example"
    model.opset_import.append(helper.make_opsetid("com.example", 1))


def other_operator(name):
    def change(model):
        next(node for node in model.graph.node if node.op_type == "Sigmoid").op_type = name

    return change


def outputs(*shapes):
    def change(model):
        del model.graph.output[:]
        model.graph.output.extend(helper.make_tensor_value_info(f"output{number}", TensorProto.FLOAT, shape)
                                  for number, shape in enumerate(shapes))  # fmt: skip

    return change


def sides(*shape, kind=TensorProto.FLOAT):
    def change(model):
        model.graph.input[0].CopyFrom(helper.make_tensor_value_info("images", kind, shape))

    return change


def bomb(model):
    model.graph.initializer.append(numpy_helper.from_array(np.array([2**40], np.int64), "many"))
    model.graph.node.append(helper.make_node("ConstantOfShape", ["many"], ["filled"]))


def wrong_stride(model):
    scales = [tensor for tensor in model.graph.initializer if numpy_helper.to_array(tensor).tolist() == 8]
    constants = [one.t for node in model.graph.node for one in node.attribute if one.name == "value"]
    scales += [tensor for tensor in constants if numpy_helper.to_array(tensor).tolist() == 8]
    assert scales
    for tensor in scales:
        tensor.CopyFrom(numpy_helper.from_array(np.array(9, np.float32), tensor.name))


def function(model):
    model.functions.append(helper.make_function("com.example", "f", ["x"], ["y"], [], []))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (external, r"its weights lie in other files \(external data\)"),
        (foreign, r"has operators of its own \(com\.example\)"),
        (function, r"has operators of its own \(com\.example\)"),
        (other_operator("LeakyRelu"), r"has another activation than SiLU \(LeakyRelu\)"),
        (other_operator("QuantizeLinear"), "is in INT8 already"),
        (other_operator("NonMaxSuppression"), "has NMS in it"),
        (other_operator("Loop"), r"is no YOLOv5 \(Loop\)"),
        (other_operator("Floor"), "is Mul where a YOLOv5 has a convolution with SiLU"),
        (outputs([1, 252, 8], [1, 32, 16, 16]), "is a segmentation network"),
        (outputs([1, 1000]), r"has no boxes as its output \(output0 \[1, 1000\]\)"),
        (outputs([1, 3, 8, 8, 8], [1, 3, 4, 4, 8]), "has no boxes as its output"),
        (sides(8, 3, 64, 64), r"its inputs are images \[8, 3, 64, 64\], not one image .* --batch-size 1"),
        (sides(1, 1, 64, 64), "not one image"),
        (sides(1, 3, 100, 64), r"whose sides are no multiples of 32"),
        (sides(1, 3, 64000, 64000), r"whose sides are no multiples of 32 up to 4096"),
        (sides(1, 3, 64, 64, kind=TensorProto.UINT8), "neither float32 nor float16"),
        (bomb, "asks for more values than memory holds"),
        (wrong_stride, "decodes boxes at stride 8 otherwise than a YOLOv5 does"),
        (lambda model: model.graph.ClearField("node"), "no network in it"),
        (lambda model: helper.set_model_props(model, {"names": "open('x')"}), r"its metadata has no list of names"),
    ],
)
def test_a_file_of_another_kind_is_refused_by_its_cause(plain, tmp_path, change, message):
    path = changed(plain, tmp_path, change)
    with pytest.raises(GraphError, match=rf"best\.onnx: .*{message}") as caught:
        given_onnx.read(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda whole: whole[: len(whole) // 2], "no ONNX file, or a damaged one|no network in it"),
        (lambda whole: b"", "an empty file"),
        (lambda whole: b"<html>not found</html>", "an HTML page"),
        (lambda whole: b"version https://git-lfs.github.com/spec/v1", "a git-lfs pointer"),
        (lambda whole: b"PK\x03\x04" + bytes(100), "no ONNX file, or a damaged one|no network in it"),
    ],
    ids=["truncated", "empty", "page", "pointer", "archive"],
)
def test_a_file_that_is_no_onnx_is_refused(plain, tmp_path, content, message):
    (tmp_path / "best.onnx").write_bytes(content(plain.read_bytes()))
    with pytest.raises(GraphError, match=rf"best\.onnx: .*({message})"):
        given_onnx.read(tmp_path / "best.onnx")


def test_weights_are_sent_to_their_key(tmp_path):
    (tmp_path / "best.pt").write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(GraphError, match=r"best\.pt: no ONNX file, .*; name it by `weights`"):
        given_onnx.read(tmp_path / "best.pt")


def test_a_giant_file_is_refused_before_it_is_read(tmp_path):
    with (tmp_path / "best.onnx").open("wb") as file:
        file.write(b"\x08")
        file.truncate(onnx_file.LARGEST + 1)  # sparse
    with pytest.raises(GraphError, match=r"has 2\.1 GB, more than an ONNX file can"):
        given_onnx.read(tmp_path / "best.onnx")


def test_a_folder_or_nothing_is_refused(tmp_path):
    with pytest.raises(GraphError, match="is a folder"):
        given_onnx.read(tmp_path)
    with pytest.raises(GraphError, match="is not there"):
        given_onnx.read(tmp_path / "best.onnx")


def test_a_head_of_four_strides_is_named(plain, tmp_path):
    model = onnx.load(plain)
    head = [node for node in model.graph.node if node.op_type == "Conv"][-1]
    fourth = helper.make_node("Conv", list(head.input), ["fourth"], name="fourth")
    fourth.attribute.extend(head.attribute)
    model.graph.node.append(fourth)
    model.graph.output.append(helper.make_tensor_value_info("fourth", TensorProto.FLOAT, [1, 3, 8, 8, 8]))
    (tmp_path / "best.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(GraphError, match="has 4 convolutions in its head, not 3: it is a P6 network"):
        given_onnx.read(tmp_path / "best.onnx")


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="the real checkpoints are not beside the project")
@pytest.mark.parametrize("name", ["yolov5n-v7.0", "yolov5s-v6.0"])
def test_a_real_checkpoint_comes_back_through_its_onnx_to_the_bit(tmp_path, name):
    content = checkpoint.load(SHARED / f"weights/{name}.pt")
    classes = list(content.names)
    path = exported.write(
        yolov5.build(content.tensors, content.eps), tmp_path / "best.onnx", names=dict(enumerate(classes))
    )
    given = given_onnx.read(path)
    again = checkpoint.given(path, given.tensors, given.names)
    for file, read in ((tmp_path / "pt.safetensors", content), (tmp_path / "onnx.safetensors", again)):
        weights.normalise(name, str(path), classes, file, read)
    assert (tmp_path / "pt.safetensors").read_bytes() == (tmp_path / "onnx.safetensors").read_bytes()
