"""What distinguishes one YOLOv5 from another, as an official size or as read off a state dict."""

import math
from dataclasses import dataclass
from itertools import takewhile

import torch
from torch import Tensor

# Multiples of (depth, width) behind the letter of an official size.
SIZES = {"n": (0.33, 0.25), "s": (0.33, 0.5), "m": (0.67, 0.75), "l": (1.0, 1.0), "x": (1.33, 1.25)}
CHANNELS = (64, 128, 256, 512, 1024)
DEPTHS = {2: 3, 4: 6, 6: 9, 8: 3, 13: 3, 17: 3, 20: 3, 23: 3}  # bottlenecks in the C3 block of each layer
STRIDES = (8, 16, 32)
ANCHORS = (  # width, height in pixels of the COCO checkpoints, one row a stride
    ((10, 13), (16, 30), (33, 23)),
    ((30, 61), (62, 45), (59, 119)),
    ((116, 90), (156, 198), (373, 326)),
)


@dataclass(frozen=True)
class Architecture:
    """What distinguishes one YOLOv5 from another.

    channels: of the stem and after strides 4, 8, 16, 32. depths: bottlenecks by layer. anchors: [3, n, 2] in units of
    the stride. spp_first: v5.0 has its pyramid pooling before the backbone's last C3 block, v6.0 and later after it.
    """

    channels: tuple[int, ...]
    depths: dict[int, int]
    classes: int
    anchors: Tensor
    spp_first: bool = False

    @classmethod
    def official(cls, size: str, classes: int, width: float = 1.0) -> "Architecture":
        """Lay out the size n, s, m, l or x with its channels multiplied by `width` (multiples of 8)."""
        depth, official_width = SIZES[size]
        channels = tuple(8 * math.ceil(channel * official_width * width / 8) for channel in CHANNELS)
        depths = {layer: max(round(repeats * depth), 1) for layer, repeats in DEPTHS.items()}
        anchors = torch.tensor(ANCHORS, dtype=torch.float32) / torch.tensor(STRIDES).view(3, 1, 1)
        return cls(channels, depths, classes, anchors)

    @classmethod
    def of(cls, tensors: dict[str, Tensor]) -> "Architecture":
        """Read the layout off a state dict in the official naming; KeyError names the tensor that is missing."""
        spp_first = "model.8.cv3.conv.weight" not in tensors
        channels = tuple(len(tensors[f"model.{layer}.conv.weight"]) for layer in (0, 1, 3, 5, 7))
        depths = {layer: _repeats(tensors, layer) for layer in DEPTHS if not (spp_first and layer == 8)}
        if spp_first:
            depths[9] = _repeats(tensors, 9)
        anchors = tensors["model.24.anchors"].float()
        if anchors.ndim != 3 or len(anchors) != len(STRIDES) or not anchors.shape[1] or anchors.shape[2] != 2:
            raise RuntimeError(f"model.24.anchors is {list(anchors.shape)}, not [3, n, 2]")
        outputs = len(tensors["model.24.m.0.weight"])
        return cls(channels, depths, outputs // anchors.shape[1] - 5, anchors, spp_first)


def _repeats(tensors: dict[str, Tensor], layer: int) -> int:
    present = (f"model.{layer}.m.{index}.cv1.conv.weight" in tensors for index in range(99))
    return sum(takewhile(bool, present))
