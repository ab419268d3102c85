"""Check images a second of batches on a CPU with a plain loop around OpenVINO, written apart from speedmap's timer.

    python benchmarks/batch_loop.py results/openvino/yolov5s-mini-{fp16,int8}-static{,-b4}

Each opens the engine for itself. They take turns run by run, since a neighbour would disturb either; images a second
are the batch over the median of each.
"""

import argparse
import logging
import statistics
import sys
import time
from pathlib import Path

import numpy as np
import openvino

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow/scripts"))

from speedmap.engines.openvino import OpenVINO
from speedmap.machine import environment
from speedmap.results.cell import Cell

logging.basicConfig(format="%(message)s", level=logging.INFO)


def looped(request: openvino.InferRequest, image: np.ndarray) -> float:
    """Run once by a call and a clock of its own; returns milliseconds."""
    start = time.perf_counter()
    request.infer({0: image}, share_inputs=True, share_outputs=True)
    return 1e3 * (time.perf_counter() - start)


def compare(folder: Path, runs: int) -> None:
    """Print images a second by both, and how far they are apart."""
    settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": environment.physical_cores()}
    compiled = openvino.Core().import_model((folder / "engine").read_bytes(), "CPU", settings)
    image = np.full(tuple(compiled.input(0).shape), 0.5, np.float32)
    request, pairs = compiled.create_infer_request(), []
    with OpenVINO().session(folder / "engine", Cell("openvino", "any", "fp16", "static", len(image))) as session:
        session.load(image)
        for number in range(runs):
            if number % 2:
                pairs.append((looped(request, image), session.run()))
            else:
                pairs.append((session.run(), looped(request, image))[::-1])
    loop, ours = (1e3 * len(image) / statistics.median(side) for side in zip(*pairs[10:], strict=True))
    logging.info("%s: loop %.1f, speedmap %.1f images/s, %+.1f%%", folder.name, loop, ours, 100 * (ours / loop - 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--runs", type=int, default=400)
    args = parser.parse_args()
    for folder in args.folders:
        compare(folder, args.runs)


if __name__ == "__main__":
    main()
