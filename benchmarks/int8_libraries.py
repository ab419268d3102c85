"""Hold other libraries' quantizers against int8_accuracy.py: same graph, same convolutions, same images.

    python benchmarks/int8_libraries.py --library Percentile --images 16 --weights ../shared/weights/yolov5n-v7.0.pt

MinMax, Entropy and Percentile are onnxruntime's; nncf and modelopt need `pip install nncf` or `nvidia-modelopt[onnx]`.
All leave the head's convolutions in float, as `int8_accuracy.py --head-only` does, and see the static graph. ONNX
Runtime evaluates: OpenVINO on a CPU with AVX-512 VNNI computes rubbish from nncf's signed activations.
"""

import argparse
from pathlib import Path

import int8_accuracy as ours  # first of all, since it finds the library
import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static

from speedmap.dataset import coco, images
from speedmap.graph import onnx_runtime
from speedmap.graph.detector_graph import INPUT, Graph

METHODS = ("MinMax", "Entropy", "Percentile")


class Reader(CalibrationDataReader):
    """Return calibration images one by one, as onnxruntime asks for them."""

    def __init__(self, files: list[Path]) -> None:
        self.batches = ({INPUT: images.load(file, 640, False)[0]} for file in files)

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self.batches, None)


def by_onnxruntime(graph: Path, head: list[str], files: list[Path], out: Path, method: str) -> None:
    """Quantize as TensorRT reads it: signed, per-channel weights, convolutions only."""
    quantize_static(
        graph, out, Reader(files), QuantFormat.QDQ, ["Conv"], per_channel=True, nodes_to_exclude=head,
        activation_type=QuantType.QInt8, weight_type=QuantType.QInt8, calibrate_method=CalibrationMethod[method],
        extra_options={"ActivationSymmetric": True, "WeightSymmetric": True, "QuantizeBias": False},
    )  # fmt: skip


def by_nncf(graph: Path, head: list[str], files: list[Path], out: Path, method: str) -> None:
    """Quantize with NNCF's preset for activations like SiLU; the decoding, too, has to be named to be left alone."""
    import nncf

    model = onnx.load(graph)
    decoding = nncf.Subgraph(inputs=head, outputs=[model.graph.node[-1].name])
    batches = nncf.Dataset(files, lambda file: {INPUT: images.load(file, 640, False)[0]})
    kept, mixed = nncf.IgnoredScope(subgraphs=[decoding]), nncf.QuantizationPreset.MIXED
    onnx.save(nncf.quantize(model, batches, preset=mixed, subset_size=len(files), ignored_scope=kept), out)


def by_modelopt(graph: Path, head: list[str], files: list[Path], out: Path, method: str) -> None:
    """Quantize with modelopt's default, entropy."""
    from modelopt.onnx.quantization import quantize

    batches = np.concatenate([images.load(file, 640, False)[0] for file in files])
    quantize(str(graph), calibration_data=batches, nodes_to_exclude=head, output_path=str(out),
             high_precision_dtype="fp32", calibration_eps=["cpu"])  # fmt: skip


QUANTIZERS = {"nncf": by_nncf, "modelopt": by_modelopt}


def main(settings: argparse.Namespace) -> None:
    graph = ours.exported(settings.weights, settings.work, "static", 6)
    out, head = settings.work / f"{graph.stem}-{settings.dialect}.onnx", Graph(onnx.load(graph)).head
    files = coco.calibration_files(ours.SHARED / "coco/calibration/images")[:: 128 // settings.images]
    QUANTIZERS.get(settings.dialect, by_onnxruntime)(graph, head, files, out, settings.dialect)
    model, truth = onnx.load(out), coco.parse(settings.data / "instances.json")
    found = ours.found(onnx_runtime.opened(model), truth, settings)
    results = {"FP32": ours.reference(graph, truth, settings), "INT8": found}
    ours.report(results, truth, settings, ours.Choice(in_float=head, table=[]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--library", dest="dialect", choices=(*METHODS, "nncf", "modelopt"), required=True)
    parser.add_argument("--weights", type=Path, required=True)
    parser.set_defaults(shape="static", data=ours.SHARED / "coco/dev")
    parser.add_argument("--images", type=int, default=128, help="divides 128; onnxruntime keeps all tensors")
    parser.add_argument("--work", type=Path, default=Path("/tmp/int8"))
    main(parser.parse_args())
