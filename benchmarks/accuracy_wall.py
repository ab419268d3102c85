"""Compare the wall time of the accuracy job with what inference alone would take.

    python benchmarks/accuracy_wall.py results/openvino/yolov5s-v6.0-{fp16-static,fp16-dynamic,int8-static}

The job may take 1.25 times (images x median latency) beyond its start-up (imports, opening the engine). The latency is
that of the data set's mix of shapes, each measured before and after the job with nothing beside. Both the detection and
the whole job, with COCO's evaluation and the bootstrap after it, are held against that.
"""

import argparse
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median

START = time.perf_counter()
sys.path.insert(0, str(Path(__file__).parents[1] / "workflow/scripts"))

from speedmap.accuracy import detect, evaluate
from speedmap.dataset import images
from speedmap.engines import registry
from speedmap.results import records
from speedmap.results.cell import Cell
from speedmap.results.inventory import Dataset
from speedmap.results.protocols import AccuracyProtocol
from speedmap.timing import speed

IMPORTED = time.perf_counter()
PROTOCOL = AccuracyProtocol(conf=0.001, iou=0.65, max_det=300)
LIMIT = 1.25
RUNS = 15  # of each shape, before and after


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cells", type=Path, nargs="+")
    parser.add_argument("--dataset", type=Path, default=Path("results/dataset.json"))
    parser.add_argument("--imgsz", type=int, default=640)
    options = parser.parse_args()
    if len(options.cells) == 1:
        measure(options.cells[0], options.dataset, options.imgsz)
        return
    for cell in options.cells:  # a process each, as the jobs have
        same = ["--dataset", options.dataset, "--imgsz", str(options.imgsz)]
        subprocess.run([sys.executable, __file__, cell, *same], check=True)


def measure(folder: Path, dataset: Path, imgsz: int) -> None:
    """Do what the accuracy job of a cell does, and print how long it took."""
    data, (model, precision, shape) = records.read(dataset, Dataset), folder.name.rsplit("-", 2)
    cell, dynamic = Cell(folder.parent.name, model, precision, shape), shape == "dynamic"
    order = speed.sequence(data.images, imgsz, dynamic)
    batches = {name: images.load(Path(file), imgsz, dynamic)[0] for name, file in dict(order).items()}
    categories = data.category_ids
    backend, engine = registry.backend(cell.backend), folder / "engine"
    with backend.session(engine, cell) as session:
        before = {name: latencies(session, batch) for name, batch in batches.items()}
    opening = time.perf_counter()
    with ExitStack() as stack:
        sessions = [stack.enter_context(session) for session in backend.sessions(engine, cell)]
        begun = time.perf_counter()
        found = detect.detect_images(sessions, data.images, imgsz, dynamic, PROTOCOL, categories)
        detected = time.perf_counter()
    judging = time.perf_counter()
    evaluate.judge(Path(data.annotations), found, [image.id for image in data.images])
    judged = time.perf_counter() - judging
    with backend.session(engine, cell) as session:
        single = {name: median(before[name] + latencies(session, batch)) for name, batch in batches.items()}
    alone, start_up = sum(single[name] for name, _ in order) / 1e3, IMPORTED - START + begun - opening
    print(f"{folder.name}: start-up {start_up:.1f} s; {len(order)} images, inference alone {alone:.1f} s; "
          f"detection {against(detected - begun, alone)}; "
          f"with evaluation {against(detected - begun + judged, alone)}",
          flush=True)  # fmt: skip


def against(seconds: float, alone: float) -> str:
    """Return whether a time is within the limit."""
    return f"{seconds:.1f} s ({seconds / alone:.2f} times, {'within' if seconds <= LIMIT * alone else 'OVER'} {LIMIT})"


def latencies(session: speed.Session, batch: object) -> list[float]:
    """Time some runs of one input, in milliseconds."""
    session.load(batch)
    session.run()
    return [session.run() for _ in range(RUNS)]


if __name__ == "__main__":
    main()
