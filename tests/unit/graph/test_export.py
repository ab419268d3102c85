import os
import subprocess
import sys

import numpy as np
import onnx
import pytest
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument

from helpers.networks import tiny
from speedmap.graph import export, fp16, multiply_adds, onnx_runtime
from speedmap.graph.detector_graph import INPUT

AGAIN = """from pathlib import Path
from speedmap.graph import export
from helpers.networks import tiny
for dynamic in (False, True):
    export.export(tiny().fuse(), Path(f"{dynamic}.onnx"), 64, dynamic)
"""


@pytest.fixture(scope="module", params=[False, True], ids=["static", "dynamic"])
def exported(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "graph.onnx"
    network = tiny().fuse()
    export.export(network, path, 64, request.param)
    return network, path, request.param


def test_the_graph_computes_what_the_network_computes(exported):
    network, path, dynamic = exported
    shapes = [(64, 64), (64, 32), (32, 64)] if dynamic else [(64, 64)]
    batches = [np.random.default_rng(0).random((1, 3, *shape), np.float32) for shape in shapes]
    assert export.worst_difference(network, path, batches)["box_px"] < 0.01


@pytest.fixture(scope="module")
def again(tmp_path_factory):
    """Export both once more in another process, with another order of hashes; returns their folder."""
    folder = tmp_path_factory.mktemp("again")
    environment = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", AGAIN], check=True, cwd=folder, env=environment)
    return folder


def test_the_same_network_makes_the_same_file(exported, again):
    _, path, dynamic = exported
    assert (again / f"{dynamic}.onnx").read_bytes() == path.read_bytes()


def test_a_wrong_graph_is_refused(exported):
    _, path, _ = exported
    with pytest.raises(export.ExportError, match="differs from torch"):
        export.worst_difference(tiny(seed=1).fuse(), path, [np.ones((1, 3, 64, 64), np.float32)])


def test_opset_is_the_last_of_tensorrt_8(exported):
    assert [entry.version for entry in onnx.load(exported[1]).opset_import] == [17]


def test_half_keeps_inputs_outputs_and_the_decoding_in_float32(exported):
    _, path, _ = exported
    typed = fp16.to_fp16(onnx.load(path))
    onnx.checker.check_model(typed, full_check=True)
    kinds = {tensor.name: tensor.data_type for tensor in typed.graph.initializer}
    convolutions = [node for node in typed.graph.node if node.op_type == "Conv"]
    assert {kinds[name] for node in convolutions for name in node.input[1:]} == {onnx.TensorProto.FLOAT16}
    decoding = [node for node in typed.graph.node if "model.24" in node.name and node.op_type in ("Mul", "Add")]
    constants = {kinds[name] for node in decoding for name in node.input if name in kinds}
    assert onnx.TensorProto.FLOAT in constants
    assert onnx.TensorProto.FLOAT16 not in constants
    for value in (*typed.graph.input, *typed.graph.output):
        assert value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT


def test_decoding_is_a_polynomial_of_the_sigmoid_without_copies_of_its_parts(exported):
    _, path, dynamic = exported
    kinds = [node.op_type for node in onnx.load(path).graph.node if "model.24" in node.name]
    assert kinds.count("Sigmoid") == 3
    assert not {"Split", "Pow", "Range"} & set(kinds)
    assert kinds.count("Slice") == (6 if dynamic else 0)  # of the tables of where cells begin, two a level
    assert kinds.count("Concat") <= 1 + 3 * dynamic


def test_what_is_larger_than_a_graph_was_exported_for_is_refused(exported):
    _, path, _ = exported
    with pytest.raises((Fail, InvalidArgument), match=r"model\.24|images"):
        onnx_runtime.session(path).run(None, {INPUT: np.zeros((1, 3, 96, 64), np.float32)})


def test_half_computes_about_the_same(exported, tmp_path):
    _, path, _ = exported
    onnx.save(fp16.to_fp16(onnx.load(path)), tmp_path / "half.onnx")
    image = np.random.default_rng(0).random((1, 3, 64, 64), np.float32)
    full, half = (onnx_runtime.session(file).run(None, {INPUT: image})[0] for file in (path, tmp_path / "half.onnx"))
    assert half.dtype == np.float32
    assert np.abs(full - half).max() < 0.5
    assert np.abs(full - half).max() > 0  # else nothing was typed


def test_multiply_adds_of_a_known_layer(exported):
    network, path, _ = exported
    work = multiply_adds.count(path, 64)
    stem = network.model[0].conv
    assert work["/model.0/conv/Conv"] == stem.weight.numel() * 32 * 32
    assert len(work) == 60
    assert multiply_adds.shares(work, dict.fromkeys(work, "int8")) == {"int8": 1.0}
