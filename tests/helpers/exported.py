"""ONNX files in the form in which YOLOv5's export.py writes them: names, layout and metadata."""

import warnings

import onnx
import torch
from torch import nn

STRIDES = (8, 16, 32)


class Exported(nn.Module):
    """A network of ours whose boxes are decoded by the formulas of YOLOv5 as they stand.

    form: "split" takes the sigmoid apart, as v6.2 and later do; "slices" writes into it, as v6.0 and before, and gives
    the raw features of each stride, too.
    """

    def __init__(self, network, form, dynamic):
        super().__init__()
        self.model, self.form, self.dynamic, self.features = network.model, form, dynamic, network.features

    def forward(self, image):
        head, rows, raws = self.model[24], [], []
        for conv, x, anchors, stride in zip(head.m, self.features(image), head.anchors, STRIDES, strict=True):
            raw = conv(x)
            batch, _, height, width = raw.shape if self.dynamic else map(int, raw.shape)
            raw = raw.view(batch, len(anchors), head.values, height, width).permute(0, 1, 3, 4, 2).contiguous()
            like = {"dtype": raw.dtype, "device": raw.device}
            down, right = torch.meshgrid(torch.arange(height, **like), torch.arange(width, **like), indexing="ij")
            grid = torch.stack((right, down), 2).expand(1, len(anchors), height, width, 2) - 0.5
            sizes = (anchors * stride).view(1, -1, 1, 1, 2).expand(1, len(anchors), height, width, 2)
            y = raw.sigmoid()
            if self.form == "split":
                xy, wh, rest = y.split((2, 2, head.values - 4), 4)
                y = torch.cat(((xy * 2 + grid) * stride, (wh * 2) ** 2 * sizes, rest), 4)
            else:
                y[..., 0:2] = (y[..., 0:2] * 2 + grid) * stride
                y[..., 2:4] = (y[..., 2:4] * 2) ** 2 * sizes
            rows.append(y.view(batch, -1, head.values))
            raws.append(raw)
        return torch.cat(rows, 1) if self.form == "split" else (torch.cat(rows, 1), *raws)


def write(network, path, sides=(64, 64), opset=12, dynamic=False, half=False, form="split", names=None, simplify=False):
    """Export a fused network; names: of the classes, a mapping as in the metadata."""
    module = Exported(network, form, dynamic).eval() if hasattr(network, "features") else network
    image = torch.zeros(1, 3, *sides)
    if half:
        module, image = module.half(), image.half()
    first = "output0" if form == "split" else "output"
    axes = {"images": {0: "batch", 2: "height", 3: "width"}, first: {0: "batch", 1: "anchors"}} if dynamic else None
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(module, (image,), path, opset_version=opset, dynamo=False, do_constant_folding=True,
                          input_names=["images"], output_names=[first], dynamic_axes=axes)  # fmt: skip
    model = onnx.load(path)
    onnx.helper.set_model_props(model, {"stride": "32", "names": str(names)} if names else {})
    if simplify:
        import onnxslim

        model = onnxslim.slim(model)
    onnx.save(model, path)
    return path
