"""Measure what INT8 costs in mAP: export a checkpoint, calibrate, choose, quantize and evaluate both precisions.

    python benchmarks/int8_accuracy.py --weights ../shared/weights/yolov5n-v7.0.pt --dialect tensorrt --shape dynamic

`--target '{"tensorrt": "8.6.1", "compute_capability": "7.5"}'` types for another platform than this.
The TensorRT dialect is evaluated by ONNX Runtime, OpenVINO's by OpenVINO. As in the workflow, the static graph is
calibrated and judged for both shapes. `--work` keeps what was made for a next run.
"""

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from tqdm import tqdm

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = ROOT / "workflow/scripts"
sys.path.insert(0, str(SCRIPTS))

from speedmap.accuracy import (
    bootstrap,
    evaluate,
    paired_difference,
)
from speedmap.dataset import coco, images, letterbox
from speedmap.dataset.instances import Instances
from speedmap.engines import openvino
from speedmap.graph import export, onnx_runtime
from speedmap.graph.detector_graph import (
    INPUT,
    Graph,
)
from speedmap.model import checkpoint, postprocess, yolov5
from speedmap.model.rewrites import rewritten
from speedmap.quantization import calibration, insert_qdq, qdq_plan, sensitivity
from speedmap.quantization.options import Options
from speedmap.results import records
from speedmap.results.prepared import Choice
from speedmap.run import fingerprint

SHARED = ROOT.parent / "shared"
STEMS = {"tensorrt": 7, "openvino": 6}  # as the config's defaults export them


def main(settings: argparse.Namespace) -> None:
    options = Options(**json.loads(settings.options))
    settings.work.mkdir(parents=True, exist_ok=True)
    settings.dialect = qdq_plan.dialect(settings.backend, json.loads(settings.target) or openvino.OpenVINO().platform())
    stem = STEMS[settings.backend]
    static, graph = (exported(settings.weights, settings.work, shape, stem) for shape in ("static", settings.shape))
    pictures = coco.calibration_files(settings.calibration)
    statistics = calibrated(static, pictures, settings, options)
    chosen = selected(static, statistics, pictures, settings, options)
    truth = coco.parse(settings.data / "instances.json")
    model = insert_qdq.quantize(
        onnx.load(graph), statistics, chosen.in_float, settings.dialect, options, ranges_of=chosen.ranges
    )
    onnx.save(model, settings.work / f"{graph.stem}-{settings.dialect}.onnx")
    results = {
        "FP32": reference(graph, truth, settings),
        "INT8": found(ENGINES[settings.backend](model), truth, settings),
    }
    report(results, truth, settings, chosen)


def exported(weights: Path, work: Path, shape: str, stem: int) -> Path:
    """Export a checkpoint with a stem of 6 or 7 pixels, once."""
    path = work / f"{weights.stem}-{stem}-{shape}.onnx"
    if not path.exists():
        network = rewritten(yolov5.build(checkpoint.load(weights).tensors), stem)
        export.export(network, path, 640, shape == "dynamic")
    return path


def calibrated(
    graph: Path, pictures: list[Path], settings: argparse.Namespace, options: Options
) -> calibration.Statistics:
    """Collect a graph's statistics, once."""
    path = settings.work / f"{graph.stem}-{options.images}.npz"
    if not path.exists():
        start = time.perf_counter()
        calibration.collect(graph, pictures[: options.images], 640).save(path)
        print(f"calibrated in {time.perf_counter() - start:.0f} s")
    return calibration.Statistics.load(path)


def selected(
    graph: Path,
    statistics: calibration.Statistics,
    pictures: list[Path],
    settings: argparse.Namespace,
    options: Options,
) -> Choice:
    """Choose the convolutions that stay in float, once for the same code and options, unless only the head should."""
    if settings.head_only:
        return Choice(in_float=Graph(onnx.load(graph)).head, table=[])
    code = hashlib.sha256(f"{fingerprint.fingerprint_of(SCRIPTS, 'choose_float')}{options}".encode()).hexdigest()
    path = settings.work / f"{graph.stem}-{settings.dialect}-{code[:8]}.json"
    if not path.exists():
        start = time.perf_counter()
        choice = sensitivity.choose(graph, statistics, pictures, 640, settings.dialect, options)
        print(f"chose in {time.perf_counter() - start:.0f} s")
        records.write(path, choice)
    return records.read(path, Choice)


def reference(graph: Path, truth: Instances, settings: argparse.Namespace) -> list[dict]:
    """Detect with the float32 graph, once."""
    path = settings.work / f"{graph.stem}-{settings.data.name}-fp32.json"
    if not path.exists():
        evaluate.write_detections(path, found(onnx_runtime.opened(onnx.load(graph)), truth, settings))
    return json.loads(path.read_text())


def in_openvino(model: onnx.ModelProto) -> Callable[[np.ndarray], np.ndarray]:
    """Compile a graph as speedmap does."""
    compiled = openvino.compile_graph(model.SerializeToString())
    request = compiled.create_infer_request()
    return lambda batch: request.infer({INPUT: batch})[compiled.output(0)].copy()


ENGINES = {"tensorrt": onnx_runtime.opened, "openvino": in_openvino}


def found(run: Callable[[np.ndarray], np.ndarray], truth: Instances, settings: argparse.Namespace) -> list[dict]:
    """Detect in every image of a data set."""
    files = {image.id: settings.data / "images" / image.file_name for image in truth.images}
    return detected(run, files, settings.shape == "dynamic", [category.id for category in truth.categories])


def detected(
    run: Callable[[np.ndarray], np.ndarray], files: dict[int, Path], dynamic: bool, categories: list[int]
) -> list[dict]:
    """Detect at the thresholds of mAP in images, given by their ids; `categories` are those of the classes."""
    results = []
    for image, path in tqdm(files.items(), disable=None, leave=False):
        batch, placement = images.load(path, 640, dynamic)
        raw = postprocess.detect(run(batch)[0], 0.001, 0.65, 300)
        placed = postprocess.Detections(letterbox.to_image(raw.boxes, placement), raw.scores, raw.classes)
        results += postprocess.to_coco(placed, image, categories)
    return results


def report(results: dict[str, list[dict]], truth: Instances, settings: argparse.Namespace, chosen: Choice) -> None:
    """Print both mAPs, the drop, and its standard error by a paired bootstrap over images."""
    ids = [image.id for image in truth.images]
    evaluated = {name: evaluate.evaluation(truth, found, ids) for name, found in results.items()}
    score = {name: 100 * evaluate.metrics(done)["map"] for name, done in evaluated.items()}
    draws = {name: np.array(bootstrap.draws(done).map) for name, done in evaluated.items()}
    drop = score["FP32"] - score["INT8"]
    error = 100 * paired_difference.standard_error(draws["FP32"] - draws["INT8"])
    print(
        f"{settings.weights.stem} {settings.shape} {settings.dialect}: FP32 {score['FP32']:.2f} "
        f"INT8 {score['INT8']:.2f} drop {drop:.2f} +- {error:.2f} on {len(truth.images)} images; "
        f"output error {chosen.reached}, INT8 share {chosen.int8_share}, float {len(chosen.in_float)}"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--dialect", choices=sorted(ENGINES), required=True, dest="backend")
    parser.add_argument("--shape", choices=("static", "dynamic"), required=True)
    parser.add_argument("--data", type=Path, default=SHARED / "coco/dev", help="folder with images/ and instances.json")
    parser.add_argument("--calibration", type=Path, default=SHARED / "coco/calibration/images")
    parser.add_argument("--target", default="{}", help="platform to type for, JSON; left out: this machine's")
    parser.add_argument("--options", default="{}", help="of the config's section int8, as JSON")
    parser.add_argument("--head-only", action="store_true", help="leave no convolution but the head's in float")
    parser.add_argument("--work", type=Path, default=Path("/tmp/int8"))
    main(parser.parse_args())
