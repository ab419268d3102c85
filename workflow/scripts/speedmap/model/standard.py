"""Whether a pickled network computes what the one that is built from its tensors computes.

Two networks with tensors of equal shapes may differ in much: whatever a layer computes with that is no tensor is held
against what is built here, so that no other network is measured in its place.
"""

from torch import Tensor, nn

from speedmap.model import yolov5
from speedmap.model.architecture import STRIDES
from speedmap.model.pickled_network import Module, children

CLASSES = {  # of a file, for each of ours
    "YOLOv5": {"Model", "DetectionModel", "BaseModel", "YOLOv5"},
    "ModuleList": {"Sequential", "ModuleList"},
    "Sequential": {"Sequential", "ModuleList"},
    "SPPF": {"SPPF", "SPP"},  # which are equal
    "BatchNorm2d": {"BatchNorm2d", "SyncBatchNorm"},
    "Upsample": {"Upsample", "UpsamplingNearest2d"},
    "Identity": {"Concat", "Identity"},  # joins layers
}
TORCH = {"Conv2d", "BatchNorm2d", "SyncBatchNorm", "SiLU", "MaxPool2d", "Upsample", "UpsamplingNearest2d"}
ATTRIBUTES = {  # that change what a layer computes; those of two sides may be one number
    nn.Conv2d: ("stride", "padding", "dilation", "groups", "padding_mode"),
    nn.BatchNorm2d: ("track_running_stats",),
    nn.MaxPool2d: ("kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices"),
    nn.Upsample: ("size", "scale_factor", "mode", "align_corners"),
}
# The layers that each layer reads, where that is not the one before.
SOURCES = {12: [11, 6], 16: [15, 4], 19: [18, 14], 22: [21, 10], 24: [17, 20, 23]}
POOLS = (5, 9, 13)  # of SPP
EQUAL = {"nearest-exact": "nearest"}  # twice as large, both copy each pixel


class DifferentError(Exception):
    """Something in a pickled network that is not as in the one that is built; the message names it, not the file."""


def check(root: Module, tensors: dict[str, Tensor]) -> dict[str, float]:
    """Return the batch norms' epsilons by name; raise DifferentError for the first difference that is not rebuilt.

    tensors: of `root`, named as in its state dict.
    """
    theirs = {prefix[:-1]: module for prefix, module in children(root)}
    _check_hooks(theirs)
    _check_layers(theirs)
    ours = dict(yolov5.outline(tensors).named_modules(remove_duplicate=False))
    pairs = {_name_in_file(name, theirs): module for name, module in ours.items()}
    pairs = {name: module for name, module in pairs.items() if not _is_of_pyramid(name, theirs)}  # it is checked whole
    for name, mine in pairs.items():
        if name not in theirs and not isinstance(mine, nn.Identity):
            raise DifferentError(f"{name} is missing")
    focus = "model.0" if theirs["model.0"].kind == "Focus" else None
    if extra := [name for name in theirs if name not in pairs and not (focus == name or _is_of_pyramid(name, theirs))]:
        raise DifferentError(f"{extra[-1]} is {theirs[extra[-1]].kind}, of which a YOLOv5 has none")
    for name, mine in pairs.items():
        if name in theirs:
            _compare(name, mine, theirs[name])
    _check_head(theirs["model.24"], tensors)
    norms = {name: module for name, module in theirs.items() if module.kind in CLASSES["BatchNorm2d"]}
    renamed = {name.replace("model.0.conv.bn", "model.0.bn"): module.named.eps for name, module in norms.items()}
    return {name: eps for name, eps in renamed.items() if eps is not None}


def _name_in_file(name: str, theirs: dict[str, Module]) -> str:
    """Name one of our modules as the file does: v5.0 has its stem in a Focus; the pools have had several names."""
    if theirs["model.0"].kind == "Focus" and name.startswith("model.0"):
        return name.replace("model.0", "model.0.conv", 1)
    return name if name in theirs else f"{name[:-5]}.m" if name.endswith(".pool") else name


def _is_of_pyramid(name: str, theirs: dict[str, Module]) -> bool:
    """Return whether a module is one of v5.0's parallel pools, or the list of them."""
    above = name.rpartition(".m")[0]
    return above in theirs and theirs[above].kind == "SPP"


def _check_hooks(theirs: dict[str, Module]) -> None:
    for name, module in theirs.items():
        for hook in module.named.hooks.values():  # a mask is multiplied with its tensor
            if not (isinstance(hook, Module) and hook.name.startswith("torch.nn.utils.prune.")):
                raise DifferentError(f"{name or 'the network'} has a hook, code that runs with it")


def _check_layers(theirs: dict[str, Module]) -> None:
    """Check that the layers run in their order and read what they read in a YOLOv5."""
    layers = theirs["model"].modules
    if list(layers) != list(map(str, range(25))):
        raise DifferentError(f"its layers are {', '.join(layers)[:100]}, not 0 to 24")
    for index, layer in enumerate(layers.values()):
        read = SOURCES.get(index, index - 1) if layer.named.f is None else layer.named.f
        absolute = [one + index if one < 0 else one for one in ([read] if isinstance(read, int) else read)]
        expected = SOURCES.get(index, [max(index - 1, 0)])
        if absolute != expected and not (index == 0 and absolute in ([-1], [0])):
            raise DifferentError(f"model.{index} reads the layers {absolute}, not {expected}")


def _compare(name: str, mine: nn.Module, other: Module) -> None:
    kind = type(mine).__name__
    allowed = CLASSES.get(kind, {kind})
    is_torch = other.name.startswith(("torch.nn.modules.", "utils.activations."))
    if other.kind not in allowed or (other.kind in TORCH and not is_torch):
        expected = "; only SiLU is known there" if kind == "SiLU" else f", not {' or '.join(sorted(allowed))}"
        raise DifferentError(f"{name or 'the network'} is {other.kind}{expected}")
    if other.kind == "SPP":
        _check_pools(name, other)
        return
    for attribute in next((value for base, value in ATTRIBUTES.items() if isinstance(mine, base)), ()):
        _hold(
            f"{name}.{attribute}",
            other.state.get(attribute, getattr(mine, attribute)),
            _expected(name, mine, attribute),
        )
    if kind == "Bottleneck":
        told = (one for one in (other.named.add, other.named.shortcut, mine.shortcut) if one is not None)
        _hold(f"{name}.add", bool(next(told)), mine.shortcut)
    if other.kind == "Concat":
        _hold(f"{name}.d", (1 if other.named.d is None else other.named.d) % 4, 1)


def _expected(name: str, mine: nn.Module, attribute: str) -> object:
    if name == "model.0.conv.conv" and attribute in ("stride", "padding"):
        return 1  # a Focus has halved the image
    return getattr(mine, attribute)


def _hold(name: str, value: object, expected: object) -> None:
    if _plain(value) != _plain(expected):
        raise DifferentError(f"{name} is {_plain(value)!r}, not {_plain(expected)!r}"[:200])


def _plain(value: object) -> object:
    """Write a value so that equal ones are equal: one number for a pair of it, False for None."""
    if isinstance(value, Tensor):
        value = value.tolist()
    if isinstance(value, list | tuple):
        parts = [_plain(one) for one in value]
        return parts[0] if len(parts) == 2 and parts[0] == parts[1] else parts
    return False if value is None else EQUAL.get(value, value) if isinstance(value, str) else value


def _check_pools(name: str, pyramid: Module) -> None:
    pools = [pool for name, held in pyramid.modules.items() if name == "m" for pool in held.modules.values()]
    if len(pools) != len(POOLS):
        raise DifferentError(f"{name} has {len(pools)} pools, not {len(POOLS)}")
    for index, (pool, size) in enumerate(zip(pools, POOLS, strict=True)):
        _compare(f"{name}.m.{index}", nn.MaxPool2d(size, 1, size // 2), pool)


def _check_head(head: Module, tensors: dict[str, Tensor]) -> None:
    anchors = tensors["model.24.anchors"]
    outputs = len(tensors["model.24.m.0.weight"])
    facts = {"stride": list(map(float, STRIDES)), "nl": len(STRIDES), "na": anchors.shape[1],
             "no": outputs // anchors.shape[1], "nc": outputs // anchors.shape[1] - 5}  # fmt: skip
    for attribute, expected in facts.items():
        value = head.state.get(attribute)
        if value is not None:
            _hold(f"model.24.{attribute}", value, expected)
