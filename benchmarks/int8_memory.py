"""Measure what calibration takes: seconds and peak memory, for more images than there are by taking them again.

python benchmarks/int8_memory.py --weights ../shared/weights/yolov5s-v6.0.pt --images 128 512
"""

import argparse
import multiprocessing
import resource
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "workflow/scripts"))

from speedmap.dataset import coco
from speedmap.graph import export
from speedmap.model import (
    checkpoint,
    yolov5,
)
from speedmap.quantization import calibration


def measure(graph: Path, pictures: list[Path], count: int) -> None:
    """Calibrate once, in a process of its own, whose peak is then that of the calibration."""
    repeated = (pictures * (count // len(pictures) + 1))[:count]
    start, before = time.perf_counter(), time.process_time()
    calibration.collect(graph, repeated, 640)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    wall, busy = time.perf_counter() - start, time.process_time() - before
    print(f"{count} images: {wall:.0f} s ({busy:.0f} s of CPU time), peak {peak:.0f} MiB", flush=True)


def main(settings: argparse.Namespace) -> None:
    pictures = coco.calibration_files(settings.calibration)
    with tempfile.TemporaryDirectory() as folder:
        graph = Path(folder) / "model.onnx"
        network = yolov5.build(checkpoint.load(settings.weights).tensors)
        export.export(network, graph, 640, settings.shape == "dynamic")
        for count in settings.images:
            process = multiprocessing.get_context("spawn").Process(target=measure, args=(graph, pictures, count))
            process.start()
            process.join()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--images", type=int, nargs="+", default=[128, 512])
    parser.add_argument("--shape", choices=("static", "dynamic"), default="dynamic")
    parser.add_argument("--calibration", type=Path, default=ROOT.parent / "shared/coco/calibration/images")
    main(parser.parse_args())
