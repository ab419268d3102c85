"""The training loss of an anchor-based detector: which predictions answer for which boxes, and how wrong they are."""

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy
from torch.nn.functional import one_hot

MOST_STRETCH = 4.0  # an anchor answers for boxes up to so much longer or shorter; decoding reaches 4 times its size
BALANCE = (4.0, 1.0, 0.4)  # weight of the objectness at strides 8, 16, 32, against their numbers of cells
BOX, OBJECT, CLASS = 0.07, 1.0, 0.3


def assign(boxes: Tensor, anchors: Tensor, grid: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Match boxes to one level's anchors and cells.

    boxes: [t, 4] center x, y, width, height, and anchors [a, 2], in units of the stride; grid: [2] columns and rows.
    Returns the index of the box, of the anchor, and the cell (x, y), [k], [k], [k, 2], of each match, and [k, 4] boxes
    relative to their cells. A box belongs to the cell of its center and to the two nearest beside that.
    """
    ratio = boxes[:, None, 2:] / anchors
    fits = torch.maximum(ratio, 1 / ratio).amax(-1) < MOST_STRETCH
    target, anchor = fits.nonzero(as_tuple=True)
    center = boxes[target, :2]
    nearer = torch.where(center % 1 < 0.5, -1.0, 1.0)
    cells = center.floor() + nearer * nearer.new_tensor([[[0, 0]], [[1, 0]], [[0, 1]]])
    which, match = ((cells >= 0) & (cells < grid)).all(-1).nonzero(as_tuple=True)
    target, anchor, cell = target[match], anchor[match], cells[which, match]
    return target, anchor, cell.long(), torch.cat((boxes[target, :2] - cell, boxes[target, 2:]), 1)


def complete_iou(a: Tensor, b: Tensor) -> Tensor:
    """Return the complete IoU [k] of boxes [k, 4] (center x, y, width, height); arXiv:1911.08287."""
    low_a, high_a = a[:, :2] - a[:, 2:] / 2, a[:, :2] + a[:, 2:] / 2
    low_b, high_b = b[:, :2] - b[:, 2:] / 2, b[:, :2] + b[:, 2:] / 2
    common = (torch.minimum(high_a, high_b) - torch.maximum(low_a, low_b)).clamp(min=0).prod(1)
    iou = common / (a[:, 2:].prod(1) + b[:, 2:].prod(1) - common + 1e-7)
    diagonal = (torch.maximum(high_a, high_b) - torch.minimum(low_a, low_b)).square().sum(1) + 1e-7
    distance = (a[:, :2] - b[:, :2]).square().sum(1) / diagonal
    shape = (torch.atan2(a[:, 2], a[:, 3]) - torch.atan2(b[:, 2], b[:, 3])).square() * (4 / torch.pi**2)
    with torch.no_grad():
        weight = shape / (1 - iou + shape + 1e-7)
    return iou - distance - weight * shape


def level_loss(raw: Tensor, anchors: Tensor, stride: int, labels: Tensor) -> Tensor:
    """Return the box, object and class losses [3] of one level.

    raw: [n, a, h, w, 5 + classes] logits. labels: [t, 6] index of the image, class, center x, y, width, height in
    pixels.
    """
    grid = raw.new_tensor((raw.shape[3], raw.shape[2]))
    target, anchor, cell, wanted = assign(labels[:, 2:] / stride, anchors, grid)
    image, kind = labels[target, 0].long(), labels[target, 1].long()
    found = raw[image, anchor, cell[:, 1], cell[:, 0]]
    share = found[:, :4].sigmoid()
    boxes = torch.cat((share[:, :2] * 2 - 0.5, (share[:, 2:] * 2) ** 2 * anchors[anchor]), 1)
    iou = complete_iou(boxes, wanted)
    position = ((image * raw.shape[1] + anchor) * raw.shape[2] + cell[:, 1]) * raw.shape[3] + cell[:, 0]
    present = raw.new_zeros(raw[..., 4].numel())
    present.scatter_reduce_(0, position, iou.detach().clamp(min=0), "amax")  # of two boxes in a cell, the better one
    some = max(len(target), 1)
    kinds = cross_entropy(found[:, 5:], one_hot(kind, raw.shape[4] - 5).to(raw.dtype), reduction="sum")
    objects = cross_entropy(raw[..., 4].flatten(), present)
    return torch.stack(((1 - iou).sum() / some, objects, kinds / some / (raw.shape[4] - 5)))


def detection_loss(heads: list[Tensor], anchors: Tensor, strides: tuple[int, ...], labels: Tensor) -> Tensor:
    """Return the weighted box, object and class losses [3] over all levels.

    heads: logits [n, a * (5 + classes), h, w] a level. anchors: [levels, a, 2] in units of the stride.
    """
    losses = []
    for raw, sizes, stride, balance in zip(heads, anchors, strides, BALANCE, strict=True):
        cells = raw.float().unflatten(1, (len(sizes), -1)).permute(0, 1, 3, 4, 2)
        weights = cells.new_tensor((BOX, OBJECT * balance, CLASS))
        losses.append(level_loss(cells, sizes, stride, labels) * weights)
    return torch.stack(losses).sum(0)
