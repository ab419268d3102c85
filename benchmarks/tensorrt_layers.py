"""Time an engine layer by layer, to see what its precision saves in convolutions and costs in conversions.

    python benchmarks/tensorrt_layers.py results/tensorrt/yolov5s-int8-static/engine

Prints the layers of each kind, their number and the sum of their median times, the lint, and the slowest layers.
TensorRT waits after each layer when it is profiled, so the sum is well above the engine's own time: compare kinds and
engines, not milliseconds with the table.
"""

import argparse
import collections
import sys
from operator import itemgetter
from pathlib import Path

from tabulate import tabulate

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow/scripts"))

from speedmap.engines.tensorrt import inspector, lint
from speedmap.engines.tensorrt.cuda import Stream
from speedmap.engines.tensorrt.engine_file import inspected, released
from speedmap.engines.tensorrt.layer_times import by_layer, plain
from speedmap.engines.tensorrt.library import platform

WIDTH = 100  # characters of a layer's name


def main(settings: argparse.Namespace) -> None:
    times = by_layer(settings.engine, None, settings.count)
    with Stream(), released():
        layers = inspector.parse(inspected(settings.engine, platform()))
    kinds = {plain(layer.name): layer.kind for layer in layers}
    print(tabulate(by_kind(times, kinds), ("kind", "layers", "ms"), "github", floatfmt=".3f"), end="\n\n")
    print(", ".join(f"{name} {count}" for name, count in lint.lint(layers).items()), end="\n\n")
    slowest = sorted(times.items(), key=itemgetter(1), reverse=True)[: settings.slowest]
    rows = [(name[:WIDTH], kinds.get(name, "unknown"), 1e3 * ms) for name, ms in slowest]
    print(tabulate(rows, ("layer", "kind", "us"), "github", floatfmt=".1f"))


def by_kind(times: dict[str, float], kinds: dict[str, str]) -> list[tuple[str, int, float]]:
    """Add up the times of each kind of layer, the slowest kind first; what takes no time is left out."""
    rows = collections.defaultdict(list)
    for name, ms in times.items():
        if ms:
            rows[kinds.get(name, "unknown")].append(ms)
    table = sorted(((kind, len(found), sum(found)) for kind, found in rows.items()), key=itemgetter(2), reverse=True)
    return [*table, ("all", sum(row[1] for row in table), sum(row[2] for row in table))]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("engine", type=Path)
    parser.add_argument("--count", type=int, default=100, help="inferences before the profile and in it")
    parser.add_argument("--slowest", type=int, default=15, help="layers to list by name")
    main(parser.parse_args())
