"""Networks in other forms that compute the same and that an engine has better kernels for."""

from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from speedmap.model.yolov5 import SPPF, YOLOv5


@dataclass(frozen=True)
class Form:
    """How a network is written, by default as checkpoints have it.

    stem: 7 writes its 6x6 kernel as 7x7 with a first row and column of zeros. pools: "parallel" or "chained".
    """

    stem: int = 6
    pools: str = "chained"


class ParallelSPPF(SPPF):
    """Pyramid pooling by maxima of 5, 9 and 13 side by side, equal to three of 5 in a row."""

    def forward(self, x: Tensor) -> Tensor:
        y = self.cv1(x)
        return self.cv2(torch.cat([y, *(nn.functional.max_pool2d(y, size, 1, size // 2) for size in (5, 9, 13))], 1))


def rewritten(network: YOLOv5, form: Form) -> YOLOv5:
    """Return a fused network that computes what another does, in some form."""
    result = deepcopy(network)
    if form.stem == 7:
        _enlarge(result.model[0].conv)
    for module in result.model:
        if isinstance(module, SPPF) and form.pools == "parallel":
            module.__class__ = ParallelSPPF
    return result


def _enlarge(stem: nn.Conv2d) -> None:
    """Write a 6x6 kernel of stride 2, padded by 2, as 7x7, padded by 3; any other stem stays."""
    if stem.kernel_size == (6, 6) and stem.padding == (2, 2):
        stem.weight = nn.Parameter(pad(stem.weight.detach(), (1, 0, 1, 0)), requires_grad=False)
        stem.kernel_size, stem.padding = (7, 7), (3, 3)
