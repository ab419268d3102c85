"""Check images a second of batches on a CPU with a plain loop around OpenVINO, written apart from speedmap's timer.

    python benchmarks/batch_loop.py results/openvino/yolov5s-mini-{fp16,int8}-static{,-b4}

Each opens the engine for itself. They take turns run by run, which goes first, too, since a neighbour would disturb
either; images a second are the batch over the median of each, the difference is the median of the pairs' ratios with
its 95% interval. Beside it a second loop takes part: how far two equal ones are apart on this machine at this time.
"""

import argparse
import logging
import sys
import time
from collections.abc import Callable
from itertools import cycle, permutations
from pathlib import Path

import numpy as np
import openvino

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow/scripts"))

from speedmap.engines.openvino import OpenVINO
from speedmap.machine import environment
from speedmap.results.cell import Cell
from speedmap.timing.stats import interval

WARM = 10  # rounds that do not count

logging.basicConfig(format="%(message)s", level=logging.INFO)


def loop(engine: bytes, threads: int) -> tuple[Callable[[], float], int]:
    """Open an engine; returns what runs it once by a call and a clock of its own, in milliseconds, and its batch."""
    settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads}
    compiled = openvino.Core().import_model(engine, "CPU", settings)
    image = np.full(tuple(compiled.input(0).shape), 0.5, np.float32)
    request = compiled.create_infer_request()
    request.set_input_tensor(openvino.Tensor(image, shared_memory=True))  # handed to each call it takes 0.03 ms

    def run(_kept: np.ndarray = image) -> float:
        start = time.perf_counter()
        request.infer(share_outputs=True)
        return 1e3 * (time.perf_counter() - start)

    return run, len(image)


def compare(folder: Path, runs: int) -> None:
    """Print images a second by both, and how far they are apart."""
    engine, threads = (folder / "engine").read_bytes(), environment.physical_cores()
    (one, batch), (other, _) = loop(engine, threads), loop(engine, threads)
    with OpenVINO().session(folder / "engine", Cell("openvino", "any", "fp16", "static", batch)) as session:
        session.load(np.full((batch, *session.compiled.input(0).shape[1:]), 0.5, np.float32))
        sides, orders = (one, other, session.run), cycle(permutations(range(3)))
        taken = [{side: sides[side]() for side in order} for order, _ in zip(orders, range(runs + WARM), strict=False)]
    times = np.array([[each[side] for side in range(3)] for each in taken[WARM:]])
    rates = 1e3 * batch / np.median(times, axis=0)
    logging.info("%s: loop %.1f, speedmap %.1f images/s, %s; two loops %s", folder.name, rates[0], rates[2],
                 apart(times[:, 0] / times[:, 2]), apart(times[:, 0] / times[:, 1]))  # fmt: skip


def apart(ratios: np.ndarray) -> str:
    """Write how much faster the second side is, in percent, with the 95% interval."""
    return "{:+.1f}% ({:+.1f} to {:+.1f})".format(*(100 * (np.array([np.median(ratios), *interval(ratios)]) - 1)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--runs", type=int, default=400)
    args = parser.parse_args()
    for folder in args.folders:
        compare(folder, args.runs)


if __name__ == "__main__":
    main()
