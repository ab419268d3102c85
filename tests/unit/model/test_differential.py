"""Generated checkpoints, each held against its own module: equal, or refused by name.

SPEEDMAP_EXAMPLES=400 pytest tests/unit/model/test_differential.py
"""

import os
from collections import Counter

import pytest
import torch
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import prune

from helpers import pickled
from speedmap.model import checkpoint, yolov5
from speedmap.model.checkpoint import CheckpointError

EXAMPLES = int(os.environ.get("SPEEDMAP_EXAMPLES", "20"))
SIDES = st.sampled_from([8, 16, 24])
LAYERS = st.sampled_from([1, 3, 5, 7, 18, 21])
ACTIVATIONS = [
    nn.ReLU(),
    nn.LeakyReLU(0.1),
    nn.Hardswish(),
    nn.Mish(),
    nn.GELU(),
    nn.Identity(),
    nn.SiLU(True),
    nn.ELU(),
]
COUNTED = Counter()


def norms(net):
    return [part for part in net.modules() if isinstance(part, nn.BatchNorm2d)]


def convolutions(net):
    every = [part for part in net.modules() if isinstance(part, nn.Conv2d)]
    return [part for part in every if part.kernel_size == (3, 3) and part.stride == (1, 1)]


def eps(net, draw):
    for norm in draw(st.sampled_from([norms(net), norms(net)[:1], norms(net)[3:9]])):
        norm.eps = draw(st.sampled_from([1e-5, 1e-3, 1e-2, 0.1]))


def activation(net, draw):
    net.model[draw(LAYERS)].act = draw(st.sampled_from(ACTIVATIONS))


def all_activations(net, draw):
    act = draw(st.sampled_from(ACTIVATIONS))
    for part in net.modules():
        if isinstance(part, pickled.Conv):
            part.act = act


def upsampling(net, draw):
    mode = draw(st.sampled_from(["nearest", "nearest-exact", "bilinear", "bicubic", "area"]))
    net.model[draw(st.sampled_from([11, 15]))].mode = mode


def shortcuts(net, draw):
    blocks = [part for part in net.modules() if isinstance(part, pickled.Bottleneck)]
    draw(st.sampled_from(blocks)).add = draw(st.booleans())


def dilation(net, draw):
    conv, by = draw(st.sampled_from(convolutions(net))), draw(st.sampled_from([1, 2, 3]))
    conv.dilation, conv.padding = (by, by), (by, by)


def padding_mode(net, draw):
    conv = draw(st.sampled_from(convolutions(net)))
    conv.padding_mode = draw(st.sampled_from(["zeros", "reflect", "replicate", "circular"]))
    conv._reversed_padding_repeated_twice = [1] * 4


def sources(net, draw):
    net.model[draw(st.sampled_from([12, 16, 19, 22]))].f.reverse()


def strides(net, draw):
    net.model[24].stride = net.model[24].stride * draw(st.sampled_from([0.5, 1, 2]))


def anchors(net, draw):
    net.model[24].anchors.mul_(draw(st.sampled_from([0.5, 1, 3])))


def pools(net, draw):
    size = draw(st.sampled_from([3, 5, 7, 9, 13]))
    pyramid = next(layer for layer in net.model if isinstance(layer, pickled.SPP | pickled.SPPF))
    if isinstance(pyramid, pickled.SPP):
        pyramid.m[draw(st.integers(0, 2))] = nn.MaxPool2d(size, 1, size // 2)
    else:
        pyramid.m = draw(st.sampled_from([nn.MaxPool2d, nn.AvgPool2d]))(size, 1, size // 2)


def joined(net, draw):
    net.model[16].d = draw(st.sampled_from([1, -3]))


def masks(net, draw):
    for conv in convolutions(net)[:3]:
        prune.random_unstructured(conv, "weight", amount=0.4)


CHANGES = [eps, activation, all_activations, upsampling, shortcuts, dilation, padding_mode, sources, strides, anchors]
CHANGES += [pools, joined, masks]
SOUND = {"eps", "anchors", "joined", "masks"}
WRAPS = [
    lambda net: net,
    nn.DataParallel,
    pickled.AutoShape,
    lambda net: {"model": net},
    lambda net: {"ema": (net, 3)},
    lambda net: {"model": {"a": 1}, "ema": pickled.ModelEMA(net)},
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    yield tmp_path_factory.mktemp("generated")
    print(dict(COUNTED))


@seed(19)
@settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(st.data())
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_generated_checkpoint_is_what_its_module_computes_or_is_refused(folder, data):
    a, b, c, d, e = (data.draw(SIDES) for _ in range(5))
    shape = {"depth": data.draw(st.integers(1, 2)), "classes": data.draw(st.integers(1, 5))}
    shape |= {"anchors": data.draw(st.integers(1, 4)), "focus": data.draw(st.booleans())}
    net = pickled.network((a, b, c, d, e), **shape, seed=data.draw(st.integers(0, 9)))
    changes = data.draw(st.lists(st.sampled_from(CHANGES), max_size=2, unique=True))
    with torch.no_grad():
        for change in changes:
            change(net, data.draw)
    path = folder / "best.pt"
    pickled.save(path, data.draw(st.sampled_from(WRAPS))(net))
    try:
        content = checkpoint.load(path)
    except CheckpointError:
        content = None
    if content is None:
        assert {change.__name__ for change in changes} - SOUND  # what is a YOLOv5 all the same never is
        COUNTED["refused"] += 1
        return
    box, score = pickled.gap(yolov5.build(content.tensors, content.eps), net)
    assert box < 1e-3, (box, changes)
    assert score < 1e-5, (score, changes)
    COUNTED["equal"] += 1
