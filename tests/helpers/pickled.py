"""Networks as trainings pickle them: small torch modules under the class names of a YOLOv5, which run by themselves."""

import sys
from types import ModuleType

import torch
from torch import nn


class Conv(nn.Module):
    def __init__(self, inputs, outputs, kernel=1, stride=1):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, (kernel - 1) // 2, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=1e-3)
        self.act = nn.SiLU()
        with torch.no_grad():
            self.bn.running_mean.normal_(0, 0.1)
            self.bn.running_var.uniform_(0.01, 1.5)
            self.bn.weight.uniform_(0.8, 1.2)

    def forward(self, x):
        y = self.conv(x)
        return self.act(self.bn(y) if hasattr(self, "bn") else y)


class Bottleneck(nn.Module):
    def __init__(self, channels, add):
        super().__init__()
        self.cv1, self.cv2, self.add = Conv(channels, channels), Conv(channels, channels, 3), add

    def forward(self, x):
        y = self.cv2(self.cv1(x))
        return y + x if self.add else y


class C3(nn.Module):
    def __init__(self, inputs, outputs, repeats, add):
        super().__init__()
        half = outputs // 2
        self.cv1, self.cv2, self.cv3 = Conv(inputs, half), Conv(inputs, half), Conv(2 * half, outputs)
        self.m = nn.Sequential(*(Bottleneck(half, add) for _ in range(repeats)))

    def forward(self, x):
        return self.cv3(torch.cat([self.m(self.cv1(x)), self.cv2(x)], 1))


class SPPF(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.cv1, self.cv2 = Conv(channels, channels // 2), Conv(channels // 2 * 4, channels)
        self.m = nn.MaxPool2d(5, 1, 2)

    def forward(self, x):
        parts = [self.cv1(x)]
        for _ in range(3):
            parts.append(self.m(parts[-1]))
        return self.cv2(torch.cat(parts, 1))


class SPP(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.cv1, self.cv2 = Conv(channels, channels // 2), Conv(channels // 2 * 4, channels)
        self.m = nn.ModuleList(nn.MaxPool2d(size, 1, size // 2) for size in (5, 9, 13))

    def forward(self, x):
        first = self.cv1(x)
        return self.cv2(torch.cat([first, *(pool(first) for pool in self.m)], 1))


class Focus(nn.Module):
    def __init__(self, outputs):
        super().__init__()
        self.conv = Conv(12, outputs, 3)

    def forward(self, x):
        return self.conv(torch.cat([x[..., row::2, column::2] for column in (0, 1) for row in (0, 1)], 1))


class Concat(nn.Module):
    def __init__(self):
        super().__init__()
        self.d = 1

    def forward(self, parts):
        return torch.cat(parts, self.d)


class Detect(nn.Module):
    def __init__(self, inputs, classes, anchors):
        super().__init__()
        self.nc, self.no, self.nl, self.na = classes, classes + 5, 3, anchors.shape[1]
        self.stride = torch.tensor([8.0, 16.0, 32.0])
        self.register_buffer("anchors", anchors)
        self.m = nn.ModuleList(nn.Conv2d(channels, self.no * self.na, 1) for channels in inputs)

    def forward(self, features):
        rows = []
        for conv, x, anchors, stride in zip(self.m, features, self.anchors, self.stride, strict=True):
            y = conv(x)
            height, width = y.shape[2:]
            y = y.unflatten(1, (self.na, self.no)).permute(0, 1, 3, 4, 2).sigmoid()
            down, right = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
            centre = (2 * y[..., :2] - 0.5 + torch.stack((right, down), -1)) * stride
            size = (2 * y[..., 2:4]) ** 2 * (anchors * stride).view(1, self.na, 1, 1, 2)
            rows.append(torch.cat((centre, size, y[..., 4:]), -1).flatten(1, 3))
        return torch.cat(rows, 1)


class Model(nn.Module):
    def __init__(self, layers, names):
        super().__init__()
        self.model, self.names, self.nc = nn.Sequential(*layers), names, len(names)

    def forward(self, x):
        done = []
        for layer in self.model:
            if isinstance(layer.f, list):
                x = [x if source == -1 else done[source] for source in layer.f]
            elif layer.f != -1:
                x = done[layer.f]
            x = layer(x)
            done.append(x)
        return x


class DetectionModel(Model):
    pass


class Wrapper(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model, self.names = model, model.names


class AutoShape(Wrapper):
    pass


class DetectMultiBackend(Wrapper):
    pass


class ModelEMA:
    def __init__(self, ema):
        self.ema, self.updates = ema, 3


HOMES = {
    "models.common": (Conv, Bottleneck, C3, SPPF, SPP, Focus, Concat, AutoShape, DetectMultiBackend),
    "models.yolo": (Detect, Model, DetectionModel),
    "utils.torch_utils": (ModelEMA,),
}


def save(path, content, **options):
    """Pickle what has networks in it with the module names of the official code, which exist only meanwhile."""
    homes = {name: ModuleType(name) for name in ("models", "utils", *HOMES)}
    before = {kind: kind.__module__ for kinds in HOMES.values() for kind in kinds}
    for name, kinds in HOMES.items():
        for kind in kinds:
            setattr(homes[name], kind.__name__, kind)
            kind.__module__ = name
    absent = {name: sys.modules.get(name) for name in homes}
    sys.modules.update(homes)
    try:
        torch.save(content, path, **options)
    finally:
        for name, module in absent.items():
            sys.modules.pop(name) if module is None else sys.modules.update({name: module})
        for kind, module in before.items():
            kind.__module__ = module


def network(channels=(8, 8, 16, 16, 16), depth=1, classes=3, anchors=3, focus=False, seed=0, names=None):
    """Make a YOLOv5 of v6.0 and later, or with a Focus of v5.0, whose parts may be changed before it is saved."""
    torch.manual_seed(seed)
    a, b, c, d, e = channels
    sizes = torch.rand(3, anchors, 2) * 4 + 0.5
    last = [SPP(e), C3(e, e, depth, False)] if focus else [C3(e, e, depth, True), SPPF(e)]
    layers = [
        Focus(a) if focus else Conv(3, a, 6, 2), Conv(a, b, 3, 2), C3(b, b, depth, True), Conv(b, c, 3, 2),
        C3(c, c, 2 * depth, True), Conv(c, d, 3, 2), C3(d, d, depth, True), Conv(d, e, 3, 2), *last,
        Conv(e, d), nn.Upsample(None, 2, "nearest"), Concat(), C3(2 * d, d, depth, False),
        Conv(d, c), nn.Upsample(None, 2, "nearest"), Concat(), C3(2 * c, c, depth, False),
        Conv(c, c, 3, 2), Concat(), C3(2 * c, d, depth, False), Conv(d, d, 3, 2), Concat(), C3(2 * d, e, depth, False),
        Detect((c, d, e), classes, sizes),
    ]  # fmt: skip
    sources = {12: [-1, 6], 16: [-1, 4], 19: [-1, 14], 22: [-1, 10], 24: [17, 20, 23]}
    for index, layer in enumerate(layers):
        layer.i, layer.f = index, sources.get(index, -1)
    return Model(layers, names or [f"class {index}" for index in range(classes)]).eval()


def gap(rebuilt, module, size=64):
    """Return how far apart two networks' boxes, in pixels, and scores lie on an image; infinity for other shapes."""
    image = torch.nn.functional.interpolate(torch.rand(1, 3, 16, 16), size=size, mode="bilinear")
    with torch.inference_mode():
        ours, theirs = rebuilt(image), module.float().eval()(image)
    if ours.shape != theirs.shape:
        return float("inf"), float("inf")
    apart = (ours - theirs).abs()
    return apart[..., :4].max().item(), apart[..., 4:].max().item()
