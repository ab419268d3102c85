import numpy as np
import onnx
import pytest

from helpers.networks import SIZE
from speedmap.dataset import images
from speedmap.graph.detector_graph import Graph
from speedmap.graph.onnx_runtime import opened
from speedmap.quantization.insert_qdq import quantize
from speedmap.quantization.options import Options
from speedmap.quantization.qdq_plan import CONVENTIONS, rounded_at
from speedmap.quantization.scan import Scan


@pytest.fixture(scope="module", params=["tensorrt", "openvino"])
def dialect(request):
    return request.param


@pytest.fixture(scope="module")
def model(graph):
    return onnx.load(graph)


@pytest.fixture(scope="module")
def batches(pictures):
    return [images.load(path, SIZE, True)[0] for path in pictures[:2]]


@pytest.fixture
def scan(model, batches, dialect):
    return scanning(model, batches, dialect)


def scanning(model, batches, dialect):
    detector = Graph(model)
    return Scan(model, batches, lambda conv: rounded_at(detector, conv, [conv], CONVENTIONS[dialect].single))


def alone(model, statistics, conv, dialect):
    return quantize(model, statistics, set(Graph(model).convs) - {conv}, dialect, Options())


@pytest.fixture(scope="module")
def scanned(model, batches, statistics, dialect):
    """Scan all convolutions in order; returns for each the graph, the second output, and the tensors held then."""
    scan, steps = scanning(model, batches, dialect), {}
    for conv in Graph(model).convs:
        quantized = alone(model, statistics, conv, dialect)
        steps[conv] = quantized, scan.outputs(conv, quantized)[1], set(scan.values[0])
    return steps


def test_what_depends_on_a_convolution_gives_what_the_whole_graph_gives(scanned, model, batches):
    exact = opened(model)(batches[1])
    for conv, (quantized, output, _) in scanned.items():
        whole = opened(quantized)(batches[1])
        change = np.abs(whole - exact).max()
        assert change > 0
        assert np.abs(output - whole).max() <= change / 100, conv


def test_tensors_are_kept_no_longer_than_needed(scanned, model):
    detector = Graph(model)
    assert max(len(held) for _, _, held in scanned.values()) < len(detector.read) / 2
    assert detector.convs["/model.1/conv/Conv"].input[0] not in list(scanned.values())[-1][2]


def test_a_convolution_is_computed_from_what_others_left(scan, model, batches, statistics, dialect):
    for conv in ("/model.0/conv/Conv", "/model.24/m.2/Conv"):
        quantized = alone(model, statistics, conv, dialect)
        output, whole = scan.outputs(conv, quantized)[0], opened(quantized)(batches[0])
        np.testing.assert_allclose(output, whole, rtol=1e-2, atol=1e-2)
