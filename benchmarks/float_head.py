"""Show what OpenVINO's head in float32 changes where the rest runs in BF16: boxes and time, with and without.

    python benchmarks/float_head.py ../shared/weights/yolov5s-v5.0.pt --images ../shared/coco/calibration/images

The change of box sides in pixels against float32 is that of rows that float32 is sure of (score over 0.25). Both
engines infer each image in turns; the time is the median of the ratios.
"""

import argparse
import sys
import tempfile
from itertools import islice
from pathlib import Path
from statistics import median

import numpy as np
import onnx
import openvino

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow/scripts"))

from speedmap import checkpoint, coco, environment, export, images, openvino_engine, precision, yolov5
from speedmap.interface import INPUT

SURE = 0.25


class Engine:
    """A compiled graph that infers one image at a time."""

    def __init__(self, graph: openvino.Model | Path, **more: str) -> None:
        settings = openvino_engine.properties(environment.physical_cores()) | more
        self.request = openvino.Core().compile_model(graph, "CPU", settings).create_infer_request()

    def __call__(self, batch: np.ndarray) -> tuple[np.ndarray, float]:
        """Give the output's rows and the milliseconds of the inference."""
        self.request.infer({INPUT: batch}, share_outputs=True)
        return self.request.get_output_tensor(0).data[0].copy(), self.request.latency


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--count", type=int, default=24)
    options = parser.parse_args()
    network = yolov5.build(checkpoint.load(options.weights).tensors)
    files = list(islice(coco.calibration_files(options.images), options.count))
    for shape in ("static", "dynamic"):
        with tempfile.TemporaryDirectory() as folder:
            plain, typed = Path(folder, "plain.onnx"), Path(folder, "half.onnx")
            export.export(network, plain, 640, shape == "dynamic")
            onnx.save(precision.half(onnx.load(plain)), typed)
            exact = Engine(plain, INFERENCE_PRECISION_HINT="f32")
            engines = {"without": Engine(typed), "with": Engine(openvino_engine.read(typed, 640))}
        print(f"{options.weights.stem} {shape}:", compared(exact, engines, files, shape == "dynamic"), flush=True)


def compared(exact: Engine, engines: dict[str, Engine], files: list[Path], dynamic: bool) -> str:
    """Say how far the boxes of either engine are from the exact ones, and how their times compare."""
    changes, ratios = {name: [] for name in engines}, []
    for number, file in enumerate(files):
        batch, _ = images.load(file, 640, dynamic)
        expected, _ = exact(batch)
        sure = (expected[:, 5:] * expected[:, 4:5]).max(1) > SURE
        times = {}
        for name in sorted(engines, reverse=number % 2 == 0):
            engines[name](batch)  # the other one's weights are in the cache
            output, times[name] = engines[name](batch)
            changes[name].append(np.abs(output[sure, :4] - expected[sure, :4]).ravel())
        ratios.append(times["with"] / times["without"])
    means = {name: np.concatenate(found).mean() for name, found in changes.items()}
    return (
        f"mean change of a box side {means['without']:.3f} px without, {means['with']:.3f} px with; "
        f"time with against without {100 * (median(ratios) - 1):+.1f}%"
    )


if __name__ == "__main__":
    main()
