"""Hold our median against OpenVINO's own benchmark_app, on one typed ONNX file, in turns.

    python benchmarks/benchmark_app.py results/openvino/yolov5n-v7.0-fp16-static

The cell must be static. benchmark_app takes no compiled engine (its Python version imports none by path), so it
compiles what the engine was compiled from. Like is compared with like: a fresh process a round for either, float32
input that is filled once and not copied, one synchronous request, and equal properties, or this ends with the one that
differs. A round times both, in an order that turns (ABBA). The verdict is on the median of the rounds' ratios, with its
95% interval.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import median

import numpy as np
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow/scripts"))

from speedmap.engines import openvino
from speedmap.machine import environment
from speedmap.results.cell import Cell
from speedmap.timing import stats
from speedmap.timing.protocol import Protocol, collect, warm_up

LIMIT = 0.03  # within which the two must agree
OWN = {"NETWORK_NAME"}  # properties that may differ: a file format's name for the graph

Round = tuple[float, dict[str, str]]  # median in milliseconds, properties


def ours(engine: Path, imgsz: int, seconds: float) -> Round:
    """Time an engine as measure_speed does, in a process of its own."""
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        return process.submit(_ours, engine, imgsz, seconds).result()


def _ours(engine: Path, imgsz: int, seconds: float) -> Round:
    batch = np.random.default_rng(0).random((1, 3, imgsz, imgsz), np.float32)
    protocol = Protocol(0.5, seconds, 20)
    with openvino.Session(engine, Cell("openvino", "any", "fp16", "static")) as session:
        session.load(batch)
        warm_up(lambda _: session.run(), [""], protocol)
        samples = [value for _, value in collect(lambda _: session.run(), [""], protocol)]
        names = set(session.compiled.get_property("SUPPORTED_PROPERTIES")) - {"SUPPORTED_PROPERTIES"}
        return median(samples), {name: str(session.compiled.get_property(name)) for name in names}


def theirs(onnx: Path, wanted: Path, seconds: float) -> Round:
    """Let benchmark_app compile and time a graph, with the properties of a file."""
    command = ["benchmark_app", "-m", onnx, "-load_config", wanted, "-d", "CPU",
               "-hint", "latency", "-api", "sync", "-ip", "f32", "-op", "f32", "-inference_only",
               "-t", str(round(seconds))]  # fmt: skip
    tool = Path(sys.executable).with_name(command[0])
    output = subprocess.run([tool, *command[1:]], capture_output=True, text=True, check=True).stdout
    found = re.findall(r"^\[ INFO \]   (\w+): (.+)$", output, re.MULTILINE)
    return float(re.search(r"Median:\s+([\d.]+) ms", output)[1]), dict(found)


def write_properties(path: Path) -> None:
    """Write what an engine is compiled with, as benchmark_app reads it."""
    wanted = openvino.properties(environment.physical_cores())
    path.write_text(json.dumps({"CPU": {name: str(value) for name, value in wanted.items()}}))


def demand_alike(mine: dict[str, str], other: dict[str, str]) -> None:
    """End when a property differs that both report."""
    for name in sorted(mine.keys() & other.keys() - OWN):
        if mine[name] != other[name]:
            sys.exit(f"{name}: {mine[name]} here, {other[name]} in benchmark_app; these cannot be compared")


def verdict(ratios: list[float]) -> str:
    """Return whether the two agree, as far as the interval of the ratios' median tells."""
    low, high = stats.interval(ratios, 1)
    found = f"{100 * (median(ratios) - 1):+.1f}% (95%: {100 * (low - 1):+.1f} to {100 * (high - 1):+.1f}%)"
    if low >= 1 - LIMIT and high <= 1 + LIMIT:
        return f"{found}: they agree within {LIMIT:.0%}"
    if high < 1 - LIMIT or low > 1 + LIMIT:
        return f"{found}: THEY DIFFER by more than {LIMIT:.0%}"
    return f"{found}: too noisy to tell whether within {LIMIT:.0%}; take more rounds, on a quiet machine"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cell", type=Path, help="folder of a static cell")
    parser.add_argument("--rounds", type=int, default=24)
    parser.add_argument("--seconds", type=float, default=3, help="that each tool measures in a round")
    parser.add_argument("--imgsz", type=int, default=640)
    options = parser.parse_args()
    pairs = []
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder, "properties.json")
        write_properties(wanted)
        tools = {
            "speedmap": lambda: ours(options.cell / "engine", options.imgsz, options.seconds),
            "benchmark_app": lambda: theirs(options.cell / "model.onnx", wanted, options.seconds),
        }
        for number in tqdm(range(options.rounds), unit="round", disable=None):
            order = sorted(tools, reverse=number % 2 == 0)
            found = {name: tools[name]() for name in order}
            demand_alike(found["speedmap"][1], found["benchmark_app"][1])
            pairs.append((found["speedmap"][0], found["benchmark_app"][0]))
    for name, values in zip(tools, zip(*pairs, strict=True), strict=True):
        print(f"{name}: median of rounds {median(values):.2f} ms, from {min(values):.2f} to {max(values):.2f}")
    print("speedmap against benchmark_app", verdict([mine / other for mine, other in pairs]))


if __name__ == "__main__":
    main()
