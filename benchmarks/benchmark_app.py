"""Hold our median against OpenVINO's own benchmark_app, on one typed ONNX file, in turns.

    python benchmarks/benchmark_app.py results/openvino/yolov5n-v7.0-fp16-static --rounds 5

The cell must be static. benchmark_app takes no compiled engine, but compiles model.onnx itself. Both run synchronously,
one request, with the latency hint; each round times both. On a shared machine compare the least of the rounds, too.
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path
from statistics import median

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow/scripts"))

from speedmap import openvino_engine
from speedmap.cells import Cell
from speedmap.clock import Protocol, collect, warm_up


def ours(engine: Path, imgsz: int, seconds: float) -> float:
    """Time an engine as measure_speed does; returns the median in milliseconds."""
    batch = np.random.default_rng(0).random((1, 3, imgsz, imgsz), np.float32)
    protocol = Protocol(0.5, seconds, 20)
    with openvino_engine.Session(engine, Cell("openvino", "any", "fp16", "static")) as session:
        session.load(batch)
        warm_up(lambda _: session.run(), [""], protocol)
        return median(value for _, value in collect(lambda _: session.run(), [""], protocol))


def theirs(onnx: Path, seconds: float) -> float:
    """Let benchmark_app compile and time the ONNX file behind an engine; returns its median in milliseconds."""
    command = ["benchmark_app", "-m", onnx, "-d", "CPU", "-hint", "latency", "-nireq", "1", "-api", "sync",
               "-t", str(round(seconds))]  # fmt: skip
    tool = Path(sys.executable).with_name(command[0])
    output = subprocess.run([tool, *command[1:]], capture_output=True, text=True, check=True).stdout
    return float(re.search(r"Median:\s+([\d.]+) ms", output)[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cell", type=Path, help="folder of a static cell")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--imgsz", type=int, default=640)
    options = parser.parse_args()
    pairs = []
    for number in range(options.rounds):
        pair = (
            ours(options.cell / "engine", options.imgsz, options.seconds),
            theirs(options.cell / "model.onnx", options.seconds),
        )
        pairs.append(pair)
        print(f"round {number + 1}: speedmap {pair[0]:.2f} ms, benchmark_app {pair[1]:.2f} ms", flush=True)
    mine, other = (median(values) for values in zip(*pairs, strict=True))
    least = [min(values) for values in zip(*pairs, strict=True)]
    print(
        f"least: speedmap {least[0]:.2f} ms, benchmark_app {least[1]:.2f} ms, {100 * (least[0] / least[1] - 1):+.1f}%"
    )
    print(f"median: speedmap {mine:.2f} ms, benchmark_app {other:.2f} ms, difference {100 * (mine / other - 1):+.1f}%")


if __name__ == "__main__":
    main()
