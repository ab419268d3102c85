"""From torch to ONNX, checked against torch on real images."""

import warnings
from pathlib import Path

import numpy as np
import onnx
import torch

from speedmap import storage
from speedmap.errors import UserError
from speedmap.graph.detector_graph import INPUT, OUTPUT
from speedmap.graph.onnx_runtime import session
from speedmap.model.yolov5 import YOLOv5

OPSET = 17  # the last that TensorRT 8.6 parses
CHECKED = 3  # calibration images that a network in another form is compared on
HALF = 5  # times as much where a graph computes in float16
WORST_BOX, WORST_SCORE = 0.02, 0.01  # of the side (64 px at least), probability: beyond these it is another network


class ExportError(UserError):
    """A graph that does not compute what the network computes."""


def export(network: YOLOv5, path: Path, imgsz: int, dynamic: bool) -> None:
    """Write a fused network as simplified float32 ONNX.

    It maps `images` [1, 3, h, w] in 0..1 to `output` [1, anchors, 5 + classes]; h = w = imgsz unless `dynamic`, which
    leaves both free (multiples of 32, up to imgsz).
    """
    import onnxslim  # and SymPy with it, which whoever reads weights or compares graphs does not need

    axes = {INPUT: {2: "height", 3: "width"}, OUTPUT: {1: "anchors"}} if dynamic else None
    with storage.atomic(path) as temporary, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracing exporter is deprecated, but the other one has no opset 17
        torch.onnx.export(network, (torch.zeros(1, 3, imgsz, imgsz),), temporary, opset_version=OPSET, dynamo=False,
                          input_names=[INPUT], output_names=[OUTPUT], dynamic_axes=axes)  # fmt: skip
        model = onnxslim.slim(onnx.load(temporary))
        del model.graph.value_info[:]  # whose symbolic shapes onnxslim writes otherwise each time
        onnx.save(onnx.shape_inference.infer_shapes(model), temporary)


def worst_difference(network: YOLOv5, path: Path, batches: list[np.ndarray], given: str | None = None) -> dict:
    """Compare a graph with its network on inputs [1, 3, h, w]; given: the output of one that was not made here.

    Returns the largest difference of a box side in pixels and of a score. Raises ExportError if it is no rounding.
    """
    graph, pixels, box, score = session(path), 0.0, 0.0, 0.0
    image = graph.get_inputs()[0]
    kind, slack = (np.float16, HALF) if image.type == "tensor(float16)" else (np.float32, 1)
    for batch in batches:
        with torch.inference_mode():
            expected = network(torch.from_numpy(batch)).numpy()
        difference = np.abs(graph.run([given or OUTPUT], {image.name: batch.astype(kind)})[0] - expected)
        if not np.isfinite(difference).all():
            raise ExportError(f"{path.name}: its outputs, or torch's, are NaN or infinite; take other weights")
        sides = difference[..., :4]
        pixels, score = max(pixels, float(sides.max())), max(score, float(difference[..., 4:].max()))
        box = max(box, float((sides / np.maximum(np.abs(expected[..., :4]), 64)).max()))
    if not (box < slack * WORST_BOX and score < slack * WORST_SCORE):
        apart = f"by {pixels:.3g} px and {score:.3g} in scores"
        why = "the export is wrong; report it with the versions of torch and onnx"
        if given:
            why = "it is no YOLOv5 v5.0 to v7.0; give the checkpoint that it came from"
        raise ExportError(f"{path if given else path.name}: differs from torch {apart}, so {why}")
    return {"box_px": pixels, "score": score, "images": len(batches)}
