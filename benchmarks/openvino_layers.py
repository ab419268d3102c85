"""Time OpenVINO graphs node by node, to see what eight bits save and where the rest of the time goes.

    python benchmarks/openvino_layers.py results/openvino/yolov5s-v6.0-{fp16,int8}-static

Prints for each cell the nodes of each kind and precision, their number and the sum of their median times; below, the
median of a whole inference, with SiLU and with ReLU in its place (whose figures mean nothing: it shows what computing
SiLU takes). The cells must be static. Their engines infer in turns.
"""

import argparse
import collections
import sys
from pathlib import Path
from statistics import median

import numpy as np
import onnx
import openvino
from onnx import helper
from tabulate import tabulate

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow/scripts"))

from speedmap.engines.openvino import compile_graph
from speedmap.graph.detector_graph import INPUT, Graph

HEADERS = ("kind", "kernel", "nodes", "ms")
Profile = dict[tuple[str, str], dict[str, list[float]]]  # kind, kernel -> node -> milliseconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cells", type=Path, nargs="+", help="folders of static cells")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--imgsz", type=int, default=640)
    options = parser.parse_args()
    graphs = {}
    for cell in options.cells:
        model = onnx.load(cell / "model.onnx")
        graphs |= {(cell.name, "SiLU"): model.SerializeToString(), (cell.name, "ReLU"): with_relu(model)}
    requests = {name: compile_graph(graph).create_infer_request() for name, graph in graphs.items()}
    whole = raced(requests, options.rounds, options.imgsz)
    for cell in options.cells:
        watched = compile_graph(graphs[cell.name, "SiLU"], PERF_COUNT=True).create_infer_request()
        profile = profiled(watched, options.rounds, options.imgsz)
        print(cell.name, tabulate(by_kind(profile), HEADERS, "github", floatfmt=".2f"), sep="\n", end="\n\n")
    lines = [(cell.name, whole[cell.name, "SiLU"], whole[cell.name, "ReLU"]) for cell in options.cells]
    print(tabulate(lines, ("cell", "ms", "ms with ReLU"), "github", floatfmt=".2f"))


def with_relu(model: onnx.ModelProto) -> bytes:
    """Put ReLU in place of each SiLU; returns the changed graph's bytes."""
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    graph, dropped = Graph(changed), []
    for node in changed.graph.node:
        gate = graph.producers.get(node.input[-1]) if node.op_type == "Mul" else None
        if gate is not None and gate.op_type == "Sigmoid" and gate.input[0] == node.input[0]:
            node.CopyFrom(helper.make_node("Relu", [gate.input[0]], node.output, node.name))
            dropped.append(gate)
    for gate in dropped:
        changed.graph.node.remove(gate)
    if not dropped:
        raise SystemExit("no SiLU in the graph: x times sigmoid(x)")
    return changed.SerializeToString()


def inferred(request: openvino.InferRequest, imgsz: int) -> float:
    """Infer noise; gives milliseconds."""
    request.infer({INPUT: np.random.default_rng(0).random((1, 3, imgsz, imgsz), np.float32)}, share_outputs=True)
    return request.latency


def raced(requests: dict, rounds: int, imgsz: int) -> dict:
    """Infer in turns; returns each one's median milliseconds."""
    times = collections.defaultdict(list)
    for _ in range(rounds):
        for name, request in requests.items():
            inferred(request, imgsz)  # the others' weights are in the cache
            times[name] += [inferred(request, imgsz) for _ in range(5)]
    return {name: median(values) for name, values in times.items()}


def profiled(request: openvino.InferRequest, rounds: int, imgsz: int) -> Profile:
    """Infer with every node timed."""
    found: Profile = collections.defaultdict(lambda: collections.defaultdict(list))
    for number in range(2 * rounds):
        inferred(request, imgsz)
        for node in request.profiling_info if number >= rounds else ():
            if node.status == openvino.ProfilingInfo.Status.EXECUTED:
                found[node.node_type, node.exec_type][node.node_name].append(1e3 * node.real_time.total_seconds())
    return found


def by_kind(profile: Profile) -> list[tuple[str, str, int, float]]:
    """Sum up nodes of one kind and kernel, the longest first, and all of them."""
    rows = [(*kind, len(nodes), sum(map(median, nodes.values()))) for kind, nodes in profile.items()]
    rows.sort(key=lambda row: row[-1], reverse=True)
    return [*rows, ("all", "", sum(row[2] for row in rows), sum(row[3] for row in rows))]


if __name__ == "__main__":
    main()
