"""The training loss of an anchor-based detector: which predictions answer for which boxes, and how wrong they are.

Every shape follows from those of the arguments and nothing is read back from the device, so that a CUDA graph can hold
it: each label is held against every anchor and cell that may answer for it, and a weight of 0 or 1 says which do.
"""

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

MOST_STRETCH = 4.0  # an anchor answers for boxes up to so much longer or shorter; decoding reaches 4 times its size
BALANCE = (4.0, 1.0, 0.4)  # weight of the objectness at strides 8, 16, 32, against their numbers of cells
BOX, OBJECT, CLASS, DENSE = 0.15, 2.0, 0.6, 0.3
INNER = 0.5  # of a box's width and height: the cells there learn its class, whether or not they answer for it


def assign(boxes: Tensor, anchors: Tensor, columns: int, rows: int) -> tuple[Tensor, Tensor]:
    """Match boxes to one level's anchors and cells.

    boxes: [n, m, 4] center x, y, width, height, and anchors [a, 2], in units of the stride. Returns the cells (x, y)
    [n, m, 3, 2], those outside moved in, and which answer [n, m, 3, a]. A box belongs to the cell of its center and to
    the two nearest beside that.
    """
    ratio = boxes[:, :, None, 2:] / anchors
    fits = torch.maximum(ratio, 1 / ratio).amax(-1) < MOST_STRETCH
    center = boxes[..., :2]
    nearer = (center % 1 >= 0.5) * 2.0 - 1
    none = torch.zeros_like(nearer[..., 0])
    aside = torch.stack((none, none, nearer[..., 0], none, none, nearer[..., 1]), -1).unflatten(-1, (3, 2))
    x, y = (center.floor()[:, :, None] + aside).unbind(-1)
    inside = (x >= 0) & (x < columns) & (y >= 0) & (y < rows)
    cells = torch.stack((x.clamp(0, columns - 1), y.clamp(0, rows - 1)), -1)
    return cells, inside[..., None] & fits[:, :, None]


def complete_iou(a: Tensor, b: Tensor) -> Tensor:
    """Return the complete IoU [...] of boxes [..., 4] (center x, y, width, height); arXiv:1911.08287."""
    low_a, high_a = a[..., :2] - a[..., 2:] / 2, a[..., :2] + a[..., 2:] / 2
    low_b, high_b = b[..., :2] - b[..., 2:] / 2, b[..., :2] + b[..., 2:] / 2
    common = (torch.minimum(high_a, high_b) - torch.maximum(low_a, low_b)).clamp(min=0).prod(-1)
    iou = common / (a[..., 2:].prod(-1) + b[..., 2:].prod(-1) - common + 1e-7)
    diagonal = (torch.maximum(high_a, high_b) - torch.minimum(low_a, low_b)).square().sum(-1) + 1e-7
    distance = (a[..., :2] - b[..., :2]).square().sum(-1) / diagonal
    shape = (torch.atan2(a[..., 2], a[..., 3]) - torch.atan2(b[..., 2], b[..., 3])).square() * (4 / torch.pi**2)
    with torch.no_grad():
        weight = shape / (1 - iou + shape + 1e-7)
    return iou - distance - weight * shape


def inner_class(wanted: Tensor, kinds: Tensor, columns: int, rows: int) -> tuple[Tensor, Tensor]:
    """Return the class of what covers each cell [n, rows, columns], and whether any box's inner part does.

    wanted: boxes [n, m, 4] center x, y, width, height in units of the stride; of two, the later lies on top. kinds:
    their classes [n, m], negative where there is none.
    """
    x = torch.arange(columns, device=wanted.device) + 0.5
    y = torch.arange(rows, device=wanted.device) + 0.5
    across = (x - wanted[..., :1]).abs() < wanted[..., 2:3] * (INNER / 2)
    down = (y - wanted[..., 1:2]).abs() < wanted[..., 3:] * (INNER / 2)
    inner = down[..., None] & across[:, :, None] & (kinds >= 0)[..., None, None]
    order = torch.arange(1, kinds.shape[1] + 1, device=wanted.device).view(1, -1, 1, 1)
    top = (inner * order).amax(1)
    chosen = kinds.long().gather(1, (top - 1).clamp(min=0).flatten(1)).view(top.shape)
    return chosen.clamp(min=0), top > 0


def dense_loss(logits: Tensor, wanted: Tensor, kinds: Tensor) -> Tensor:
    """Return the mean class loss over all inner cells and anchors; most of what teaches shapes apart.

    logits: [n, h, w, a, classes]. wanted, kinds: as `inner_class` takes them.
    """
    _, rows, columns, per_cell, _ = logits.shape
    classes, covered = inner_class(wanted, kinds, columns, rows)
    wrong = -logits.log_softmax(-1).gather(-1, classes[..., None, None].expand(-1, -1, -1, per_cell, 1))[..., 0]
    return (wrong.mean(-1) * covered).sum() / covered.sum().clamp(min=1)


def level_loss(raw: Tensor, anchors: Tensor, stride: int, labels: Tensor) -> Tensor:
    """Return the box, object, class and dense class losses [4] of one level.

    raw: [n, h, w, a, 5 + classes] logits. labels: [n, m, 5] class, -1 where there is none, center x, y, width, height
    in pixels.
    """
    count, rows, columns, per_cell, values = raw.shape
    existing = labels[..., 0] >= 0
    wanted = torch.where(existing[..., None], labels[..., 1:] / stride, torch.ones_like(labels[..., 1:]))
    cells, answers = assign(wanted, anchors, columns, rows)
    weight = (answers & existing[:, :, None, None]).float()  # [n, m, 3, a]
    some = weight.sum().clamp(min=1)

    image = torch.arange(count, device=raw.device).view(-1, 1, 1)
    cell = (image * rows + cells[..., 1].long()) * columns + cells[..., 0].long()
    position = (cell[..., None] * per_cell + torch.arange(per_cell, device=raw.device)).flatten()
    predictions = raw.reshape(-1, values)
    found = predictions.gather(0, position[:, None].expand(-1, values)).unflatten(0, weight.shape)
    share = found[..., :4].sigmoid()
    boxes = torch.cat((share[..., :2] * 2 - 0.5, (share[..., 2:] * 2) ** 2 * anchors), -1)
    offset = torch.cat((wanted[:, :, None, :2] - cells, wanted[:, :, None, 2:].expand(-1, -1, 3, -1)), -1)
    iou = complete_iou(boxes, offset[..., None, :].expand_as(boxes))

    best = (iou.detach().clamp(min=0) * weight).flatten()
    present = torch.zeros_like(predictions[:, 4]).scatter_reduce_(0, position, best, "amax")  # of two, the better one
    objects = cross_entropy(predictions[:, 4], present)
    kind = (labels[..., :1] == torch.arange(values - 5, device=raw.device)).to(raw.dtype)
    kinds = cross_entropy(found[..., 5:], kind[:, :, None, None].expand_as(found[..., 5:]), reduction="none").mean(-1)
    dense = dense_loss(raw[..., 5:], wanted, labels[..., 0])
    return torch.stack((((1 - iou) * weight).sum() / some, objects, (kinds * weight).sum() / some, dense))


def detection_loss(heads: list[Tensor], anchors: Tensor, strides: tuple[int, ...], labels: Tensor) -> Tensor:
    """Return the weighted box, object, class and dense class losses [4] over all levels.

    heads: logits [n, a * (5 + classes), h, w] a level. anchors: [levels, a, 2] in units of the stride. labels: as
    `level_loss` takes them.
    """
    total = torch.zeros(4, device=anchors.device)
    for raw, sizes, stride, balance in zip(heads, anchors, strides, BALANCE, strict=True):
        rows = raw.float().permute(0, 2, 3, 1).unflatten(3, (len(sizes), -1))
        box, objects, kinds, dense = level_loss(rows, sizes, stride, labels)
        total = total + torch.stack((box * BOX, objects * (OBJECT * balance), kinds * CLASS, dense * DENSE))
    return total
