import pytest
import torch

from helpers.networks import output, tiny
from speedmap.model import yolov5
from speedmap.model.architecture import Architecture
from speedmap.model.yolov5 import YOLOv5


@pytest.mark.parametrize(("size", "millions"), [("n", 1.87), ("s", 7.23), ("m", 21.2), ("l", 46.5), ("x", 86.7)])
def test_official_sizes_have_their_published_number_of_parameters(size, millions):
    network = YOLOv5(Architecture.official(size, 80))  # figures: README of the v7.0 release
    assert sum(weight.numel() for weight in network.parameters()) / 1e6 == pytest.approx(millions, rel=0.01)


def test_rebuilt_from_its_tensors_it_computes_the_same():
    network, image = tiny(), torch.rand(1, 3, 64, 96)
    assert torch.allclose(output(yolov5.build(network.state_dict()), image), output(network, image), atol=1e-3)


def test_output_has_a_row_an_anchor_of_every_stride():
    image = torch.rand(1, 3, 64, 96)
    cells = sum((64 // stride) * (96 // stride) for stride in (8, 16, 32))
    assert output(tiny(classes=5), image).shape == (1, 3 * cells, 10)


def test_rows_run_through_anchors_then_rows_then_columns():
    network = tiny().fuse()
    for conv in network.model[24].m:
        torch.nn.init.zeros_(conv.weight)
        torch.nn.init.zeros_(conv.bias)
    rows = output(network, torch.rand(1, 3, 64, 96))[0]
    assert rows[1, :2].tolist() == [12, 4]  # second column of stride 8: sigmoid 0.5 is the cell's centre
    assert rows[12, :2].tolist() == [4, 12]  # second row
    assert rows[0, 2:4].tolist() == [10, 13]  # sigmoid 0.5 is the anchor's own size
    assert rows[8 * 12, 2:4].tolist() == [16, 30]


def test_focus_stem_of_v5_equals_the_6x6_stem():
    network, image = tiny(), torch.rand(1, 3, 64, 64)
    stem = network.model[0]
    halves = [image[..., row::2, column::2] for column in (0, 1) for row in (0, 1)]
    focus = torch.nn.Conv2d(12, len(stem.conv.weight), 3, padding=1, bias=False)
    old = {name: tensor for name, tensor in network.state_dict().items() if not name.startswith("model.0.")}
    old |= {name.replace("model.0.", "model.0.conv."): tensor
            for name, tensor in network.state_dict().items() if name.startswith("model.0.bn.")}  # fmt: skip
    old["model.0.conv.conv.weight"] = focus.weight.detach()
    rebuilt = yolov5.build(old)
    with torch.inference_mode():
        expected = stem.act(stem.bn(focus(torch.cat(halves, 1))))
        assert torch.allclose(rebuilt.model[0](image), expected, atol=1e-5)


def test_v5_pools_before_its_last_block():
    layout = Architecture.official("n", 3, width=1 / 8)
    depths = {9: 2, **{layer: depth for layer, depth in layout.depths.items() if layer != 8}}
    old = YOLOv5(Architecture(layout.channels, depths, 3, layout.anchors, spp_first=True)).eval()
    found = Architecture.of(old.state_dict())
    assert found.spp_first
    assert found.depths[9] == 2
    assert output(yolov5.build(old.state_dict()), torch.rand(1, 3, 64, 64)).isfinite().all()


def test_a_missing_tensor_is_named():
    tensors = tiny().state_dict()
    del tensors["model.13.cv2.conv.weight"]
    with pytest.raises(RuntimeError, match=r"model\.13\.cv2\.conv\.weight"):
        yolov5.build(tensors)


def test_random_weights_are_reproducible_and_stay_in_the_range_of_float16():
    image = torch.rand(1, 3, 128, 128)
    first, second = yolov5.random("n", 80), yolov5.random("n", 80)
    assert torch.equal(output(first, image), output(second, image))
    assert max(feature.abs().max() for feature in first.features(image)) < 6e4
