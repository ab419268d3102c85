"""Judge an INT8 recipe without annotations: how far its detections are the float32 graph's, on calibration images.

    python benchmarks/int8_agreement.py --weights ../shared/weights/yolov5n-v7.0.pt --dialect tensorrt

What the float32 graph finds above a score is the truth, and the mAP of INT8's detections against it, classes aside, is
the agreement; 100 is the same. Only images count on which the choice of layers was not made, static and unpadded. It
varies far less than the mAP of annotated images, so it can tell recipes apart that they cannot; both graphs run in
ONNX Runtime.
"""

import argparse
import contextlib
import io
import json
import sys
from pathlib import Path

import numpy as np
import onnx
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

sys.path.insert(0, str(Path(__file__).resolve().parent))

from int8_accuracy import SHARED, calibrated, exported, selected

from speedmap import coco, detections, geometry, images, quantize, sensitivity

LEAST = (0.1, 0.3)  # scores above which what float32 finds counts as the truth
CLASSES = range(1000)


def main(settings: argparse.Namespace) -> None:
    options = quantize.DEFAULTS | json.loads(settings.options)
    settings.work.mkdir(parents=True, exist_ok=True)
    pictures = coco.calibration_files(settings.calibration)
    static = exported(settings.weights, settings.work, "static")
    statistics = calibrated(static, pictures, settings, options)
    chosen = selected(static, statistics, pictures, settings, options)
    seen = sensitivity.spread(pictures, options["scan"])
    unseen = [path for path in pictures if path not in seen]
    scores = {}
    for shape in ("dynamic", "static"):
        model = onnx.load(exported(settings.weights, settings.work, shape))
        rounded = quantize.quantize(model, statistics, chosen["float"], settings.dialect, options)
        expected, found = (detected(each, unseen, shape == "dynamic") for each in (model, rounded))
        scores |= {f"{shape} above {least}": agreement(expected, found, len(unseen), least) for least in LEAST}
    rows = ", ".join(f"{name} {score:.2f}" for name, score in scores.items())
    print(f"{settings.weights.stem} {settings.dialect}: {rows}; mean {np.mean(list(scores.values())):.2f} "
          f"on {len(unseen)} images; INT8 share {chosen['int8_share']:.3f}, float {len(chosen['float'])}")  # fmt: skip


def detected(model: onnx.ModelProto, pictures: list[Path], dynamic: bool) -> list[dict]:
    """Detect at the thresholds of mAP in images, which are numbered."""
    run, results = sensitivity.opened(model), []
    for number, path in enumerate(pictures):
        batch, placement = images.load(path, 640, dynamic)
        raw = detections.detect(run(batch)[0], 0.001, 0.65, 300)
        placed = detections.Detections(geometry.to_image(raw.boxes, placement), raw.scores, raw.classes)
        results += detections.to_coco(placed, number, CLASSES)
    return results


def agreement(expected: list[dict], found: list[dict], count: int, least: float) -> float:
    """Give the mAP, in points, of detections against those of the expected ones that are above a score."""
    truth = COCO()
    boxes = [each for each in expected if each["score"] > least]
    truth.dataset = {
        "images": [{"id": number} for number in range(count)],
        "categories": [{"id": number} for number in CLASSES],
        "annotations": [
            {**each, "id": number, "area": each["bbox"][2] * each["bbox"][3], "iscrowd": 0}
            for number, each in enumerate(boxes, 1)
        ],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(found), "bbox")
        evaluation.params.useCats = 0
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return 100 * float(evaluation.stats[0])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--dialect", choices=("tensorrt", "openvino"), required=True)
    parser.add_argument("--calibration", type=Path, default=SHARED / "coco/calibration/images")
    parser.add_argument("--options", default="{}", help="of the config's section int8, as JSON")
    parser.add_argument("--head-only", action="store_true", help="leave no convolution but the head's in float")
    parser.add_argument("--work", type=Path, default=Path("/tmp/int8"))
    main(parser.parse_args())
