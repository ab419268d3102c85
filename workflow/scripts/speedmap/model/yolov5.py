"""The YOLOv5 network, v5.0 to v7.0, rebuilt from the shapes of its tensors."""

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from speedmap.model.architecture import STRIDES, Architecture


class Conv(nn.Module):
    """Convolution, batch norm (eps 1e-3, as trained) and SiLU; `kernel` 6 is the stem's, padded by 2."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, (kernel - 1) // 2, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.03)
        self.act = nn.SiLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.bn(self.conv(x)))


class Bottleneck(nn.Module):
    """A 1x1 and a 3x3 convolution, with a residual when `shortcut`."""

    def __init__(self, channels: int, shortcut: bool) -> None:
        super().__init__()
        self.cv1, self.cv2, self.shortcut = Conv(channels, channels), Conv(channels, channels, 3), shortcut

    def forward(self, x: Tensor) -> Tensor:
        y = self.cv2(self.cv1(x))
        return x + y if self.shortcut else y


class C3(nn.Module):
    """Cross-stage partial block: `repeats` bottlenecks on one half of the channels, the other half passed by."""

    def __init__(self, inputs: int, outputs: int, repeats: int, shortcut: bool) -> None:
        super().__init__()
        half = outputs // 2
        self.cv1, self.cv2, self.cv3 = Conv(inputs, half), Conv(inputs, half), Conv(2 * half, outputs)
        self.m = nn.Sequential(*(Bottleneck(half, shortcut) for _ in range(repeats)))

    def forward(self, x: Tensor) -> Tensor:
        return self.cv3(torch.cat((self.m(self.cv1(x)), self.cv2(x)), 1))


class SPPF(nn.Module):
    """Pyramid pooling by three chained 5x5 maxima, equal to v5.0's parallel maxima of 5, 9 and 13."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        half = inputs // 2
        self.cv1, self.cv2 = Conv(inputs, half), Conv(4 * half, outputs)
        self.pool = nn.MaxPool2d(5, 1, 2)

    def forward(self, x: Tensor) -> Tensor:
        pyramid = [self.cv1(x)]
        for _ in range(3):
            pyramid.append(self.pool(pyramid[-1]))
        return self.cv2(torch.cat(pyramid, 1))


class Detect(nn.Module):
    """The head: one 1x1 convolution a stride, and the decoding of what it says into boxes."""

    def __init__(self, inputs: tuple[int, ...], classes: int, anchors: Tensor) -> None:
        super().__init__()
        self.values = 5 + classes
        self.m = nn.ModuleList(nn.Conv2d(channels, anchors.shape[1] * self.values, 1) for channels in inputs)
        self.register_buffer("anchors", anchors)
        for conv in self.m if not self.m[0].weight.is_meta else ():  # which a meta device would do slowly, for nothing
            nn.init.normal_(conv.weight, std=0.001)
            nn.init.constant_(conv.bias.view(anchors.shape[1], -1)[:, 4:], -4.6)  # a new head finds next to nothing

    def forward(self, features: list[Tensor]) -> Tensor:
        levels = zip(self.m, features, self.anchors, STRIDES, strict=True)
        return torch.cat([self.decode(conv(x), anchors, stride) for conv, x, anchors, stride in levels], 1)

    def decode(self, raw: Tensor, anchors: Tensor, stride: int) -> Tensor:
        """Turn one level's [n, anchors * values, h, w] into [n, anchors * h * w, values], boxes in input pixels.

        One polynomial of the sigmoid s serves all values, so that engines compute it in one kernel and take nothing
        apart: a centre is 2 s stride + where its cell begins, a size 4 s^2 anchors, any probability s. Where cells
        begin is cut from tables, constants of a graph as long as the longest side that it is traced with: an engine has
        cheaper kernels for it than for ranges that are made anew for each dynamic input.
        """
        batch, _, height, width = raw.shape
        rest = self.values - 4
        square = nn.functional.pad(4 * stride * anchors, (2, rest)).view(1, -1, 1, 1, self.values)
        linear = torch.cat((raw.new_full((2,), 2 * stride), raw.new_zeros(2), raw.new_ones(rest)))
        x, y = torch.eye(2, self.values, device=raw.device, dtype=raw.dtype)
        begins = (torch.arange(int(max(height, width)), device=raw.device, dtype=raw.dtype) - 0.5) * stride
        columns, rows = (begins.view(-1, 1) * x)[:width], (begins.view(-1, 1, 1) * y)[:height]
        s = raw.view(batch, -1, self.values, height, width).permute(0, 1, 3, 4, 2).sigmoid()
        return (s * (s * square + linear) + columns + rows).reshape(batch, -1, self.values)


class YOLOv5(nn.Module):
    """A YOLOv5 detector with three strides; its state dict has the names of the official checkpoints."""

    def __init__(self, layout: Architecture) -> None:
        super().__init__()
        c1, c2, c3, c4, c5 = layout.channels

        def block(layer: int, inputs: int, outputs: int) -> C3:
            return C3(inputs, outputs, layout.depths[layer], shortcut=layer <= 8)

        pooled = (SPPF(c5, c5), block(9, c5, c5)) if layout.spp_first else (block(8, c5, c5), SPPF(c5, c5))
        up, join = nn.Upsample(scale_factor=2), nn.Identity()  # upsampling and concatenation hold layers' numbers only
        self.model = nn.ModuleList((
            Conv(3, c1, 6, 2),
            Conv(c1, c2, 3, 2), block(2, c2, c2),
            Conv(c2, c3, 3, 2), block(4, c3, c3),
            Conv(c3, c4, 3, 2), block(6, c4, c4),
            Conv(c4, c5, 3, 2), *pooled,
            Conv(c5, c4), up, join, block(13, 2 * c4, c4),
            Conv(c4, c3), up, join, block(17, 2 * c3, c3),
            Conv(c3, c3, 3, 2), join, block(20, 2 * c3, c4),
            Conv(c4, c4, 3, 2), join, block(23, 2 * c4, c5),
            Detect((c3, c4, c5), layout.classes, layout.anchors),
        ))  # fmt: skip

    def features(self, image: Tensor) -> list[Tensor]:
        """Map images [n, 3, h, w] in 0..1 to the features at strides 8, 16 and 32."""
        layer = self.model
        fine = self._chain(image, range(5))
        middle = self._chain(fine, range(5, 7))
        coarse = self._chain(middle, range(7, 11))
        waist = layer[14](layer[13](torch.cat((layer[11](coarse), middle), 1)))
        fine = layer[17](torch.cat((layer[15](waist), fine), 1))
        middle = layer[20](torch.cat((layer[18](fine), waist), 1))
        coarse = layer[23](torch.cat((layer[21](middle), coarse), 1))
        return [fine, middle, coarse]

    def _chain(self, x: Tensor, layers: range) -> Tensor:
        for index in layers:
            x = self.model[index](x)
        return x

    def forward(self, image: Tensor) -> Tensor:
        """Map images [n, 3, h, w] in 0..1, h and w multiples of 32, to [n, anchors, 5 + classes].

        A row is the box's center x, center y, width and height in input pixels, objectness, and class probabilities.
        """
        return self.model[24](self.features(image))

    def fuse(self) -> "YOLOv5":
        """Fold every batch norm into its convolution, which gets a bias, in place."""
        for module in self.modules():
            if isinstance(module, Conv) and isinstance(module.bn, nn.BatchNorm2d):
                module.conv, module.bn = fuse_conv_bn_eval(module.conv.eval(), module.bn.eval()), nn.Identity()
        return self


def build(tensors: dict[str, Tensor], eps: dict[str, float] | None = None) -> YOLOv5:
    """Rebuild the network of a state dict, fused and in evaluation mode.

    tensors: float32, official names; v5.0's Focus stem may be there. eps: of batch norms by name, else 1e-3. Raises
    KeyError or RuntimeError, naming the tensor, when the names or shapes are not those of a YOLOv5.
    """
    network = outline(tensors)
    network.load_state_dict({name: tensor.clone() for name, tensor in _with_plain_stem(tensors).items()}, assign=True)
    for name, value in (eps or {}).items():
        network.get_submodule(name).eps = value
    return network.eval().fuse()


def outline(tensors: dict[str, Tensor]) -> YOLOv5:
    """Lay out the network of a state dict, its tensors without memory, however absurd their shapes are."""
    with torch.device("meta"):
        network = YOLOv5(Architecture.of(_with_plain_stem(tensors)))
        for module in network.modules() if not any(".bn." in name for name in tensors) else ():
            if isinstance(module, Conv):  # as fused: to fold tensors without memory would take torch's compiler
                module.conv.bias, module.bn = nn.Parameter(torch.empty(module.conv.out_channels)), nn.Identity()
        return network


def random(size: str, classes: int) -> YOLOv5:
    """Make an official size with seeded random weights, to measure its speed where no checkpoint is at hand."""
    torch.manual_seed(0)
    network = YOLOv5(Architecture.official(size, classes))
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # average over all that was seen: one pass makes activations fit for fp16 and int8
    with torch.no_grad():
        network.train()(nn.functional.interpolate(torch.rand(8, 3, 16, 16), size=320, mode="bilinear"))
    return network.eval().fuse()


def _with_plain_stem(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rewrite v5.0's Focus stem as the 6x6 stem it equals: pixel (2i + dy, 2j + dx) is its channel group (dy, dx)."""
    if not any(name.startswith("model.0.conv.conv.") for name in tensors):
        return tensors
    rest = {name.replace("model.0.conv.", "model.0.", 1): tensor for name, tensor in tensors.items()}
    groups = tensors["model.0.conv.conv.weight"].unflatten(1, (2, 2, 3))  # out, dx, dy, colour, 3, 3
    rest["model.0.conv.weight"] = groups.permute(0, 3, 4, 2, 5, 1).reshape(-1, 3, 6, 6)
    return rest
