"""Pickled networks in whatever they are wrapped in, and those that compute otherwise than their shapes show."""

import argparse
import copy

import pytest
import torch
from torch import nn
from torch.nn.utils import fusion, prune

from helpers import pickled
from speedmap.model import checkpoint, yolov5
from speedmap.model.checkpoint import CheckpointError


def rebuilt(path):
    content = checkpoint.load(path)
    return yolov5.build(content.tensors, content.eps), content.names


def equal(path, module):
    box, score = pickled.gap(rebuilt(path)[0], module)
    return box < 1e-3 and score < 1e-5


def thop(module):
    for part in module.modules():
        part.register_buffer("total_ops", torch.zeros(1))
        part.register_buffer("total_params", torch.zeros(1))
    return module


def pruned(module, permanent):
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            prune.l1_unstructured(part, "weight", amount=0.3)
            if permanent:
                prune.remove(part, "weight")
    return module


def fused(module):
    for part in module.modules():
        if isinstance(part, pickled.Conv):
            part.conv = fusion.fuse_conv_bn_eval(part.conv, part.bn)
            del part.bn
    return module


def synchronised(module):
    return nn.SyncBatchNorm.convert_sync_batchnorm(module)


def averaged(module):
    return torch.optim.swa_utils.AveragedModel(module)


def of_ema(module):
    return {f"module.{name}": tensor for name, tensor in module.state_dict().items()}


def lightning(module):
    raw = pickled.network(seed=7).state_dict()
    both = {f"net.{name}": tensor for name, tensor in raw.items()}
    return {"state_dict": both | {f"net_ema.{name}": tensor for name, tensor in module.state_dict().items()}}


DRESSED = {
    "model": lambda net: {"model": net, "ema": None},
    "ema": lambda net: {"model": pickled.network(seed=5), "ema": net, "updates": 9},
    "tuple of ema": lambda net: {"model": None, "ema": (net, 17)},
    "state dict of ema": lambda net: {"model": pickled.network(seed=5), "ema": of_ema(net)},
    "nested ema": lambda net: {"ema": {"module": of_ema(net), "decay": 0.9}},
    "object of ema": lambda net: {"model": pickled.network(seed=5), "ema": pickled.ModelEMA(net)},
    "averaged": averaged,
    "lightning": lightning,
    "layers alone": lambda net: net.model.state_dict(),
    "the module itself": lambda net: net,
    "autoshape": lambda net: pickled.AutoShape(pickled.DetectMultiBackend(net)),
    "detectmultibackend": lambda net: {"model": pickled.DetectMultiBackend(net)},
    "data parallel": lambda net: {"model": nn.DataParallel(net)},
    "state dict of data parallel": lambda net: nn.DataParallel(net).state_dict(),
    "compiled": lambda net: {"model": {f"_orig_mod.{name}": tensor for name, tensor in net.state_dict().items()}},
    "thop": lambda net: {"model": thop(copy.deepcopy(net))},
    "state dict of thop": lambda net: thop(copy.deepcopy(net)).state_dict(),
    "masks": lambda net: {"model": pruned(net, permanent=False)},
    "state dict of masks": lambda net: pruned(net, permanent=False).state_dict(),
    "masks removed": lambda net: {"model": pruned(net, permanent=True)},
    "fused without code": lambda net: {"model": fused(copy.deepcopy(net))},
    "synchronised": lambda net: {"model": synchronised(net)},
    "opt": lambda net: {"model": net, "opt": argparse.Namespace(lr=0.1, data="coco.yaml")},
    "optimizer": lambda net: {"model": net, "optimizer": torch.optim.SGD(net.parameters(), 0.1)},
    "double": lambda net: {"model": net.double()},
    "training": lambda net: {"model": copy.deepcopy(net).train()},
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("dress", DRESSED)
@pytest.mark.parametrize("focus", [False, True])
def test_a_dressed_network_is_read(tmp_path, dress, focus):
    net = pickled.network(focus=focus)
    pickled.save(tmp_path / "best.pt", DRESSED[dress](net))
    if dress == "lightning" and focus:
        pytest.skip("the raw network beside it is of the other version")
    assert equal(tmp_path / "best.pt", net)


def test_networks_that_several_processes_trained(tmp_path):
    store = torch.distributed.FileStore(str(tmp_path / "store"), 1)
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    try:
        net = pickled.network()
        pickled.save(tmp_path / "best.pt", {"model": nn.parallel.DistributedDataParallel(net)})
    finally:
        torch.distributed.destroy_process_group()
    assert equal(tmp_path / "best.pt", net)


@pytest.mark.parametrize(
    ("names", "read"),
    [
        ([0, 1, 2], ("0", "1", "2")),
        ({0: "a", 1: "b", 2: "c"}, ("a", "b", "c")),
        ({str(number): f"k{number}" for number in range(12)}, tuple(f"k{number}" for number in range(12))),
        (["yes", True, 1.5], ("yes", "True", "1.5")),
    ],
)
def test_names_are_texts_in_the_order_of_their_numbers(tmp_path, names, read):
    pickled.save(tmp_path / "best.pt", {"model": pickled.network(names=names)})
    assert rebuilt(tmp_path / "best.pt")[1] == read


def layer(net, *names):
    return [net.get_submodule(name) for name in names]


def setting(*names, **values):
    def change(net):
        for module in layer(net, *names):
            for name, value in values.items():
                setattr(module, name, value)

    return change


def replacing(name, make):
    def change(net):
        above, _, last = name.rpartition(".")
        setattr(net.get_submodule(above), last, make(net.get_submodule(name)))

    return change


def padded_by(mode):
    def make(old):
        new = nn.Conv2d(old.in_channels, old.out_channels, 3, padding=1, bias=False, padding_mode=mode)
        new.load_state_dict(old.state_dict())
        return new

    return make


def swapped(net):
    """The layers in their order, but the second and third exchanged in what they read."""
    net.model[12].f = [6, -1]


def alike(make):
    """A layer in another's place, with its number and source."""

    def other(old):
        new = make()
        new.i, new.f = old.i, old.f
        return new

    return other


def shuffled(net):
    net.model._modules["2"], net.model._modules["3"] = net.model._modules["3"], net.model._modules["2"]
    net.model._modules = {key: net.model._modules[key] for key in sorted(net.model._modules)}


OTHER = {  # a network that computes something else: how, and what its refusal names
    "bilinear": (setting("model.11", mode="bilinear"), "model.11.mode is 'bilinear', not 'nearest'"),
    "aligned": (setting("model.15", mode="bilinear", align_corners=True), "model.15.mode"),
    "fixed size": (setting("model.15", size=(8, 8), scale_factor=None), "model.15.size"),
    "thrice": (setting("model.15", scale_factor=3.0), "model.15.scale_factor is 3.0, not 2"),
    "shortcut": (setting("model.13.m.0", add=True), "model.13.m.0.add is True, not False"),
    "no shortcut": (setting("model.4.m.1", add=False), "model.4.m.1.add is False, not True"),
    "dilated": (setting("model.8.m.0.cv2.conv", dilation=(2, 2), padding=(2, 2)), "model.8.m.0.cv2.conv"),
    "stride": (setting("model.0.conv", stride=(1, 1)), "model.0.conv.stride is 1, not 2"),
    "padding": (setting("model.0.conv", padding=(3, 3)), "model.0.conv.padding is 3, not 2"),
    "padding of a head": (setting("model.24.m.1", padding=(1, 1)), "model.24.m.1.padding is 1, not 0"),
    "reflect": (replacing("model.4.m.0.cv2.conv", padded_by("reflect")), "conv.padding_mode is 'reflect'"),
    "circular": (replacing("model.17.m.0.cv2.conv", padded_by("circular")), "conv.padding_mode is 'circular'"),
    "groups": (setting("model.4.cv1.conv", groups=2), "model.4.cv1.conv.groups is 2, not 1"),
    "one relu": (setting("model.6.cv1", act=nn.ReLU()), "model.6.cv1.act is ReLU; only SiLU"),
    "leaky": (setting("model.1", act=nn.LeakyReLU(0.1)), "model.1.act is LeakyReLU; only SiLU"),
    "hardswish": (setting("model.1", act=nn.Hardswish()), "model.1.act is Hardswish; only SiLU"),
    "no activation": (setting("model.1", act=nn.Identity()), "model.1.act is Identity; only SiLU"),
    "batch statistics": (setting("model.1.bn", track_running_stats=False), "model.1.bn.track_running_stats"),
    "instance norm": (replacing("model.1.bn", lambda bn: nn.InstanceNorm2d(len(bn.weight), affine=True,
                                track_running_stats=True)), "model.1.bn is InstanceNorm2d"),
    "average": (setting("model.9", m=nn.AvgPool2d(5, 1, 2)), "model.9.m is AvgPool2d"),
    "wider pools": (setting("model.9", m=nn.MaxPool2d(7, 1, 3)), "model.9.m.kernel_size is 7, not 5"),
    "concatenated rows": (setting("model.12", d=2), "model.12.d is 2, not 1"),
    "order of a join": (swapped, r"model.12 reads the layers \[6, 11\], not \[11, 6\]"),
    "source of a join": (setting("model.19", f=[-1, 17]), r"model.19 reads the layers \[18, 17\], not \[18, 14\]"),
    "source of the head": (setting("model.24", f=[17, 20, 20]), "model.24 reads the layers"),
    "a layer skipped": (setting("model.9", f=-2), r"model.9 reads the layers \[7\], not \[8\]"),
    "strides": (setting("model.24", stride=torch.tensor([4.0, 8.0, 16.0])), r"model.24.stride is \[4.0, 8.0, 16.0\]"),
    "classes": (setting("model.24", nc=7), "model.24.nc is 7, not 3"),
    "another block": (replacing("model.8", alike(lambda: pickled.Focus(16))), "model.8"),
    "dropout": (setting("model.8", drop=nn.Dropout()), "model.8.drop is Dropout"),
    "a layer more": (lambda net: net.model.append(nn.Identity()), "its layers are .* not 0 to 24"),
}  # fmt: skip


@pytest.mark.parametrize("way", OTHER)
def test_a_network_that_computes_otherwise_is_refused_by_name(tmp_path, way):
    change, message = OTHER[way]
    net = pickled.network()
    change(net)
    pickled.save(tmp_path / "best.pt", {"model": net})
    with pytest.raises(CheckpointError, match=message):
        checkpoint.load(tmp_path / "best.pt")


SAME = {  # what is rebuilt, or makes no difference
    "eps": setting("model.1.bn", eps=1e-5),
    "eps of the stem": setting("model.0.bn", eps=0.1),
    "exact": setting("model.11", mode="nearest-exact"),
    "upsampling by a pair": setting("model.11", scale_factor=(2.0, 2.0)),
    "joined from behind": setting("model.12", d=-3),
    "named layers": setting("model.12", f=[11, 6]),
    "before": setting("model.9", f=8),
    "in place": setting("model.1", act=nn.SiLU(inplace=True)),
    "v5's pools": replacing("model.9", alike(lambda: pickled.SPP(16))),
    "upsampling of its own": replacing("model.15", alike(lambda: nn.UpsamplingNearest2d(scale_factor=2))),
    "another class": setting("", __class__=pickled.DetectionModel),
}


@pytest.mark.parametrize("way", SAME)
def test_what_makes_no_difference_or_is_rebuilt_is_read(tmp_path, way):
    net = pickled.network()
    SAME[way](net)
    pickled.save(tmp_path / "best.pt", {"model": net})
    assert equal(tmp_path / "best.pt", net)


def test_pools_of_v5_in_another_order_are_refused(tmp_path):
    net = pickled.network(focus=True)
    net.model[8].m = nn.ModuleList(nn.MaxPool2d(size, 1, size // 2) for size in (5, 13, 9))
    pickled.save(tmp_path / "best.pt", net)
    with pytest.raises(CheckpointError, match=r"model\.8\.m\.1\.kernel_size is 13, not 9"):
        checkpoint.load(tmp_path / "best.pt")


def test_hooks_are_refused(tmp_path):
    net = pickled.network()
    net.model[3].register_forward_hook(prune.remove)  # any function: what it does is not known here
    pickled.save(tmp_path / "best.pt", net)
    with pytest.raises(CheckpointError, match=r"model\.3 has a hook"):
        checkpoint.load(tmp_path / "best.pt")
