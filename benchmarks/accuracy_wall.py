"""Compare the wall time of detecting in a data set with what inference alone would take.

    python benchmarks/accuracy_wall.py results/openvino/yolov5s-v6.0-int8-dynamic results/dataset.json

Prints the wall time, the sum of inference times measured beside nothing else, and their ratio.
"""

import argparse
import sys
import time
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow/scripts"))

from speedmap import accuracy, backends, images, records, speed
from speedmap.cells import Cell

PROTOCOL = {"conf": 0.001, "iou": 0.65, "max_det": 300}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cell", type=Path)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--imgsz", type=int, default=640)
    options = parser.parse_args()
    data, dynamic = records.read(options.dataset), options.cell.name.endswith("dynamic")
    model, precision, shape = options.cell.name.rsplit("-", 2)
    cell = Cell(options.cell.parent.name, model, precision, shape)
    categories = [category["id"] for category in data["categories"]]
    start = time.perf_counter()
    with backends.engine(cell.backend).Session(options.cell / "engine", cell) as session:
        opened = time.perf_counter()
        batches = {name: images.load(Path(file), options.imgsz, dynamic)[0]
                   for name, file in dict(speed.sequence(data["images"], options.imgsz, dynamic)).items()}  # fmt: skip
        single = {name: alone(session, batch) for name, batch in batches.items()}
        expected = sum(single[name] for name, _ in speed.sequence(data["images"], options.imgsz, dynamic)) / 1e3
        begun = time.perf_counter()
        accuracy.find(session, data["images"], options.imgsz, dynamic, PROTOCOL, categories)
        wall = time.perf_counter() - begun
    print(f"start-up {opened - start:.1f} s; {len(data['images'])} images: wall {wall:.1f} s, "
          f"inference alone {expected:.1f} s, ratio {wall / expected:.2f}")  # fmt: skip


def alone(session: speed.Session, batch: object) -> float:
    """Give the median of ten runs of one input, in milliseconds."""
    session.load(batch)
    session.run()
    return median(session.run() for _ in range(10))


if __name__ == "__main__":
    main()
