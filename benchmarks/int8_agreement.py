"""Judge an INT8 recipe without annotations: how far its detections are the float32 graph's, on calibration images.

    python benchmarks/int8_agreement.py --weights ../shared/weights/yolov5n-v7.0.pt --dialect tensorrt

What the float32 graph finds above a score is the truth, and the mAP of INT8's detections against it, classes aside, is
the agreement; 100 is the same. Only images count on which the choice of layers was not made, static and unpadded. It
varies far less than the mAP of annotated images, so it can tell recipes apart that they cannot. The TensorRT dialect
runs in ONNX Runtime, OpenVINO's in OpenVINO.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import onnx

sys.path.insert(0, str(Path(__file__).resolve().parent))

from int8_accuracy import ENGINES, SHARED, STEMS, calibrated, detected, exported, selected

from speedmap.accuracy import evaluate
from speedmap.dataset import coco
from speedmap.dataset.instances import Annotation, Category, Image, Instances
from speedmap.engines import openvino
from speedmap.graph import onnx_runtime
from speedmap.quantization import insert_qdq, qdq_plan, sensitivity
from speedmap.quantization.options import Options

LEAST = (0.1, 0.3)  # scores above which what float32 finds counts as the truth
ANY = [1] * 1000  # the category of every class


def main(settings: argparse.Namespace) -> None:
    options = Options(**json.loads(settings.options))
    settings.work.mkdir(parents=True, exist_ok=True)
    pictures = coco.calibration_files(settings.calibration)
    stem = STEMS[settings.backend]
    settings.dialect = qdq_plan.dialect(settings.backend, openvino.OpenVINO().platform())
    static = exported(settings.weights, settings.work, "static", stem)
    statistics = calibrated(static, pictures, settings, options)
    chosen = selected(static, statistics, pictures, settings, options)
    seen = sensitivity.spread(pictures, options.scan)
    unseen = dict(enumerate(path for path in pictures if path not in seen))
    scores = {}
    for shape in ("dynamic", "static"):
        model = onnx.load(exported(settings.weights, settings.work, shape, stem))
        rounded = insert_qdq.quantize(
            model, statistics, chosen.in_float, settings.dialect, options, ranges_of=chosen.ranges
        )
        runs = onnx_runtime.opened(model), ENGINES[settings.backend](rounded)
        expected, found = (detected(run, unseen, shape == "dynamic", ANY) for run in runs)
        for least in LEAST:
            scores[f"{shape} above {least}"] = agreement(expected, found, least, list(unseen))
    rows = ", ".join(f"{name} {score:.2f}" for name, score in scores.items())
    print(f"{settings.weights.stem} {settings.dialect}: {rows}; mean {np.mean(list(scores.values())):.2f} "
          f"on {len(unseen)} images; INT8 share {chosen.int8_share}, float {len(chosen.in_float)}")  # fmt: skip


def agreement(expected: list[dict], found: list[dict], least: float, ids: list[int]) -> float:
    """Return the mAP, in points, of detections against those of the expected ones that are above a score."""
    boxes = [each for each in expected if each["score"] > least]
    objects = [
        Annotation(
            id=number,
            image_id=each["image_id"],
            category_id=ANY[0],
            bbox=each["bbox"],
            area=each["bbox"][2] * each["bbox"][3],
            iscrowd=0,
        )
        for number, each in enumerate(boxes, 1)
    ]
    truth = Instances([Image(id=number) for number in ids], [Category(id=ANY[0])], objects)
    return 100 * evaluate.metrics(evaluate.evaluation(truth, found, ids))["map"]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--dialect", choices=sorted(ENGINES), required=True, dest="backend")
    parser.add_argument("--calibration", type=Path, default=SHARED / "coco/calibration/images")
    parser.add_argument("--options", default="{}", help="of the config's section int8, as JSON")
    parser.add_argument("--head-only", action="store_true", help="leave no convolution but the head's in float")
    parser.add_argument("--work", type=Path, default=Path("/tmp/int8"))
    main(parser.parse_args())
