import json
import tracemalloc
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from helpers.networks import SIZE
from speedmap.dataset import images
from speedmap.graph import export, onnx_runtime
from speedmap.graph.detector_graph import INPUT, Graph
from speedmap.quantization import calibration, observers
from speedmap.quantization.calibration import CalibrationError, Statistics
from speedmap.quantization.ranges import HALF


def test_statistics_are_those_of_the_values(statistics, graph, pictures):
    batches = np.concatenate([images.load(path, SIZE, True)[0] for path in pictures])
    histogram = statistics.histograms[INPUT]
    assert (histogram.low, histogram.high) == (batches.min(), batches.max())
    assert histogram.counts.sum() == batches.size
    tensor = Graph(onnx.load(graph)).convs["/model.2/cv1/conv/Conv"].input[0]
    run = onnx_runtime.tapped(graph, [tensor])
    channels = np.concatenate(
        [run(batch[None])[0][0].reshape(statistics.shapes[tensor][1], -1) for batch in batches], 1
    )
    mean, covariance = statistics.channels[tensor]
    np.testing.assert_allclose(mean, channels.mean(1), rtol=1e-5)
    np.testing.assert_allclose(covariance, np.cov(channels, bias=True), rtol=1e-3, atol=1e-5)


def test_a_value_that_rounding_puts_beyond_the_last_bin_is_counted_in_it():
    observer, largest = observers.Observer(), np.nextafter(np.float32(1), np.float32(0))
    observer.add(np.full((1, 1, 2, 2), largest))
    assert largest * np.float32(HALF) + np.float32(HALF) == 2 * HALF
    assert observer.histogram.counts[-1] == observer.histogram.counts.sum() == 4


def test_windows_lie_where_a_convolution_puts_its_kernel(graph):
    model = Graph(onnx.load(graph))
    window = observers.Window(model, "/model.1/conv/Conv")  # 3x3, stride 2, padded by 1
    channels = model.weight("/model.1/conv/Conv").shape[1]
    values = np.random.default_rng(1).random((1, channels, 6, 10), np.float32)
    seen = torch.nn.functional.unfold(torch.tensor(values), (3, 3), padding=1, stride=2)[0].numpy()
    rows = []
    window.seen.add = rows.append
    window.add(values)
    assert {row.tobytes() for row in np.ascontiguousarray(rows[0].T)} == {row.tobytes() for row in seen.T.copy()}


def test_windows_hold_what_kernels_see(graph, pictures):
    model = Graph(onnx.load(graph))
    window = observers.Window(model, "/model.1/conv/Conv")  # 3x3, stride 2, padded by 1
    weight, random = model.weight("/model.1/conv/Conv"), np.random.default_rng(0)
    values = random.random((1, weight.shape[1], 32, 32), np.float32) + np.arange(32, dtype=np.float32)
    for _ in range(40):  # some positions each time
        window.add(values)
    conv = torch.nn.functional.conv2d(torch.tensor(values), torch.tensor(weight), stride=2, padding=1)[0].flatten(1)
    mean, covariance = window.seen.moments
    rows = weight.reshape(len(weight), -1)
    np.testing.assert_allclose(rows @ mean, conv.mean(1), rtol=0.1, atol=0.1 * conv.mean(1).abs().max())
    np.testing.assert_allclose(np.einsum("oi,ij,oj->o", rows, covariance, rows), conv.var(1), rtol=0.1)


def test_kernels_that_see_too_much_have_a_mean_alone(statistics, graph):
    model = Graph(onnx.load(graph))
    tensor = model.convs["/model.1/conv/Conv"].input[0]
    channels = observers.Moments(np.arange(model.weight("/model.1/conv/Conv").shape[1]), np.eye(1))
    without = replace(statistics, windows={}, channels={tensor: channels})
    mean, covariance = without.under("/model.1/conv/Conv", tensor, (3, 3))
    np.testing.assert_array_equal(mean.reshape(-1, 9), np.tile(channels.mean[:, None], 9))
    assert covariance is None


def test_every_tensor_that_a_convolution_reads_was_seen(statistics, graph):
    convs = [node for node in onnx.load(graph).graph.node if node.op_type == "Conv"]
    assert {conv.input[0] for conv in convs} <= set(statistics.histograms)
    model = Graph(onnx.load(graph))
    for conv in convs:
        size = model.weight(conv.name).shape[1:]
        assert statistics.under(conv.name, conv.input[0], size[1:]).mean.shape == (np.prod(size),)


def test_statistics_fit_the_static_graph_of_the_same_network(statistics, network, pictures, tmp_path):
    export.export(network, tmp_path / "static.onnx", SIZE, dynamic=False)
    other = calibration.collect(tmp_path / "static.onnx", pictures, SIZE)
    assert other.histograms.keys() == statistics.histograms.keys()
    assert other.record["preprocessing"]["shape"] == "static"


def test_saved_statistics_come_back_with_their_record(statistics, pictures, tmp_path):
    statistics.save(tmp_path / "s.npz")
    again = Statistics.load(tmp_path / "s.npz")
    assert again.record == statistics.record
    assert json.loads((tmp_path / "s.json").read_text())["images"][0]["file"] == pictures[0].name
    for name, histogram in statistics.histograms.items():
        np.testing.assert_array_equal(again.histograms[name].counts, histogram.counts)
        assert again.histograms[name].width == histogram.width
    assert again.shapes == statistics.shapes
    for kind in ("channels", "windows"):
        before, after = getattr(statistics, kind), getattr(again, kind)
        assert before.keys() == after.keys() != set()
        for name, moments in before.items():
            np.testing.assert_array_equal(after[name].mean, moments.mean)
            np.testing.assert_array_equal(after[name].covariance, moments.covariance)


def test_the_same_statistics_make_the_same_file(statistics, tmp_path):
    for name in "ab":
        statistics.save(tmp_path / f"{name}.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_more_images_take_no_more_memory(graph, pictures):
    peaks = []
    for repeats in (1, 4):
        tracemalloc.start()
        calibration.collect(graph, pictures * repeats, SIZE)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_tensor_that_is_not_finite_is_named(graph, pictures, tmp_path, value):
    model = onnx.load(graph)
    weight = next(tensor for tensor in model.graph.initializer if tensor.name == "model.3.conv.weight")
    broken = numpy_helper.to_array(weight).copy()
    broken[0, 0, 0, 0] = value
    weight.CopyFrom(numpy_helper.from_array(broken, weight.name))
    onnx.save(model, tmp_path / "broken.onnx")
    with pytest.raises(CalibrationError, match=r"/model\.3/act/Mul_output_0.*inf or NaN"):
        calibration.collect(tmp_path / "broken.onnx", pictures, SIZE)


def test_a_file_of_something_else_is_an_error(tmp_path):
    for name, content in (("a.npz", b"no archive"), ("b.npz", None)):
        if content:
            (tmp_path / name).write_bytes(content)
        else:
            np.savez(tmp_path / name, x=1)
        with pytest.raises(CalibrationError, match="make it anew"):
            Statistics.load(tmp_path / name)
