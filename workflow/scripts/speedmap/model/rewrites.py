"""Networks in other forms that compute the same and that an engine has better kernels for."""

from copy import deepcopy

from torch import nn
from torch.nn.functional import pad

from speedmap.model.yolov5 import YOLOv5


def rewritten(network: YOLOv5, stem: int) -> YOLOv5:
    """Return a fused network that computes what another does.

    stem: 7 writes its first kernel of 6x6 as 7x7 with a row and a column of zeros; 6 leaves it as checkpoints have it.
    """
    result = deepcopy(network)
    if stem == 7:
        _enlarge(result.model[0].conv)
    return result


def _enlarge(stem: nn.Conv2d) -> None:
    """Write a 6x6 kernel of stride 2, padded by 2, as 7x7, padded by 3; any other stem stays."""
    if stem.kernel_size == (6, 6) and stem.padding == (2, 2):
        stem.weight = nn.Parameter(pad(stem.weight.detach(), (1, 0, 1, 0)), requires_grad=False)
        stem.kernel_size, stem.padding = (7, 7), (3, 3)
