"""Time INT8 against FP16 in one process, the two engines taking turns, for the ratio of their times.

    python benchmarks/int8_speedup.py results/tensorrt/yolov5s-int8-static results/tensorrt/yolov5x-int8-static

Takes the folders of INT8 cells; each one's FP16 twin lies beside it. A dynamic cell is timed over the data set's most
frequent input shapes, of results/dataset.json. Writes what it found as JSON, and prints it as a table.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from tabulate import tabulate

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow/scripts"))

from speedmap.engines import registry
from speedmap.results import records
from speedmap.results.cell import Cell
from speedmap.results.prepared import Dataset
from speedmap.timing import alternating

SHAPES = 3  # of the inputs of a dynamic engine


def main(settings: argparse.Namespace) -> None:
    shapes = list(records.read(settings.dataset, Dataset).shapes)[:SHAPES]
    results = {}
    for folder in settings.cells:
        results[folder.name] = compared(folder, shapes, settings)
        settings.out.write_text(json.dumps({"cells": results}, indent=1))
    columns = ("ratio", "low", "high", "first_ms", "second_ms")
    rows = [(name, *(result[key] for key in columns)) for name, result in results.items()]
    print(tabulate(rows, ("cell", "float / INT8", "from", "to", "float ms", "INT8 ms"), "github", floatfmt=".3f"))


def compared(folder: Path, shapes: list[str], settings: argparse.Namespace) -> dict:
    """Let the engines of an INT8 cell and of its FP16 twin take turns."""
    backend, (model, precision, shape) = folder.parent.name, folder.name.rsplit("-", 2)
    if precision != "int8":
        raise SystemExit(f"{folder}: not an INT8 cell; name cells like yolov5s-int8-static")
    twin, engines = folder.with_name(f"{model}-fp16-{shape}"), registry.backend(backend)
    sizes = shapes if shape == "dynamic" else [f"{settings.imgsz}x{settings.imgsz}"]
    random = np.random.default_rng(0)
    batches = {size: random.random((1, 3, *map(int, size.split("x"))), np.float32) for size in sizes}
    with (
        engines.session(twin / "engine", Cell(backend, model, "fp16", shape)) as first,
        engines.session(folder / "engine", Cell(backend, model, "int8", shape)) as second,
    ):
        runs = [alternating.runner(session, batches) for session in (first, second)]
        return alternating.speedup(alternating.alternate(*runs, sizes, settings.rounds))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cells", type=Path, nargs="+")
    parser.add_argument("--dataset", type=Path, default=Path("results/dataset.json"))
    parser.add_argument("--out", type=Path, default=Path("results/speedup.json"))
    parser.add_argument("--imgsz", type=int, default=640)
    parser.add_argument("--rounds", type=int, default=alternating.ROUNDS)
    main(parser.parse_args())
