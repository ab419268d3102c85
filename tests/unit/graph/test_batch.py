import numpy as np
import onnx
import pytest

from helpers.networks import tiny
from speedmap.graph import export, fp16, onnx_runtime
from speedmap.graph.batch import batch_of, rebatched
from speedmap.graph.detector_graph import Graph, GraphError


@pytest.fixture(scope="module")
def graphs(tmp_path_factory):
    """A network's static and dynamic graph."""
    folder, network = tmp_path_factory.mktemp("onnx"), tiny().fuse()
    for dynamic in (False, True):
        export.export(network, folder / f"{dynamic}.onnx", 64, dynamic)
    return [lambda dynamic=dynamic: onnx.load(folder / f"{dynamic}.onnx") for dynamic in (False, True)]


def images(count):
    return np.random.default_rng(0).random((count, 3, 64, 64), np.float32)


@pytest.mark.parametrize("typed", [lambda model: model, fp16.to_fp16], ids=["float32", "float16"])
def test_each_image_of_a_batch_gives_what_it_gives_alone(graphs, typed):
    one = onnx_runtime.opened(typed(graphs[0]()))
    several = onnx_runtime.opened(rebatched(typed(graphs[0]()), 3))
    alone = np.concatenate([one(image[None]) for image in images(3)])
    np.testing.assert_allclose(several(images(3)), alone, rtol=1e-3, atol=2e-2)


def test_weights_and_types_stay_and_only_shapes_change(graphs):
    before, after = graphs[0](), rebatched(graphs[0](), 8)
    assert (batch_of(before), batch_of(after)) == (1, 8)
    kept = {tensor.name: tensor for tensor in after.graph.initializer}
    assert all(kept[tensor.name] == tensor for tensor in before.graph.initializer)
    added = set(kept) - {tensor.name for tensor in before.graph.initializer}
    assert {Graph(after).constant(name)[0] for name in added} == {8}
    assert [node.op_type for node in after.graph.node] == [node.op_type for node in before.graph.node]


def test_a_dynamic_graph_or_one_of_a_batch_is_refused(graphs):
    for model in (graphs[1](), rebatched(graphs[0](), 2)):
        with pytest.raises(GraphError, match="only a static graph of one image"):
            rebatched(model, 8)


def test_a_graph_whose_output_does_not_follow_is_refused(graphs):
    model = graphs[0]()
    output = model.graph.output[0]
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([0]), "first"))
    axis = onnx.numpy_helper.from_array(np.array([0]), "axis")
    one = onnx.numpy_helper.from_array(np.array([1]), "one")
    model.graph.initializer.extend([axis, one])
    cut = onnx.helper.make_node("Slice", [output.name, "first", "one", "axis"], ["kept"], "cut")  # the first image only
    model.graph.node.append(cut)
    output.name = "kept"
    with pytest.raises(GraphError, match="does not follow a batch of 2"):
        rebatched(model, 2)
