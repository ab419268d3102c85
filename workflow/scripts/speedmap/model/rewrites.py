"""Networks in other forms that compute the same and that an engine has better kernels for."""

from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from speedmap.model.yolov5 import C3, SPPF, YOLOv5


@dataclass(frozen=True)
class Form:
    """How a network is written, by default as checkpoints have it.

    stem: 7 writes its 6x6 kernel as 7x7 with a first row and column of zeros. pools: "parallel" or "chained".
    """

    stem: int = 6
    pools: str = "chained"
    merge_c3: bool = False


class ParallelSPPF(SPPF):
    """Pyramid pooling by maxima of 5, 9 and 13 side by side, equal to three of 5 in a row."""

    def forward(self, x: Tensor) -> Tensor:
        y = self.cv1(x)
        return self.cv2(torch.cat([y, *(nn.functional.max_pool2d(y, size, 1, size // 2) for size in (5, 9, 13))], 1))


class MergedC3(C3):
    """A C3 whose first two convolutions, which read one tensor, are one, with a split behind it."""

    def forward(self, x: Tensor) -> Tensor:
        inner, passed = self.cv12(x).split(self.cv12.conv.out_channels // 2, 1)  # a number, so that no shape is asked
        return self.cv3(torch.cat((self.m(inner), passed), 1))


def rewritten(network: YOLOv5, form: Form) -> YOLOv5:
    """Return a fused network that computes what another does, in some form."""
    result = deepcopy(network)
    if form.stem == 7:
        _enlarge(result.model[0].conv)
    for module in result.model:
        if isinstance(module, SPPF) and form.pools == "parallel":
            module.__class__ = ParallelSPPF
        if isinstance(module, C3) and form.merge_c3:
            _merge(module)
    return result


def _enlarge(stem: nn.Conv2d) -> None:
    """Write a 6x6 kernel of stride 2, padded by 2, as 7x7, padded by 3; any other stem stays."""
    if stem.kernel_size == (6, 6) and stem.padding == (2, 2):
        stem.weight = nn.Parameter(pad(stem.weight.detach(), (1, 0, 1, 0)), requires_grad=False)
        stem.kernel_size, stem.padding = (7, 7), (3, 3)


def _merge(block: C3) -> None:
    first, second = block.cv1.conv, block.cv2.conv
    block.cv12 = deepcopy(block.cv1)
    block.cv12.conv.out_channels += second.out_channels
    for name in ("weight", "bias"):
        joined = torch.cat([getattr(conv, name).detach() for conv in (first, second)])
        setattr(block.cv12.conv, name, nn.Parameter(joined, requires_grad=False))
    del block.cv1, block.cv2
    block.__class__ = MergedC3
