"""Detect with a measured engine in an image, a folder or a video: boxes drawn, JSON, and the latency of this very run.

python examples/detect.py results/openvino/yolov5s-mini-int8-static sample/images detections
"""

import json
import sys
import time
from pathlib import Path
from statistics import median

import cv2

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow/scripts"))

from speedmap.dataset import images, letterbox
from speedmap.dataset.frames import frames
from speedmap.engines import usage
from speedmap.errors import UserError
from speedmap.errors.explain import explain
from speedmap.model import postprocess


def detect(session, use, image):
    """Return what is in an image, boxes as x1, y1, x2, y2 in pixels, and the engine's milliseconds."""
    placement = letterbox.place(*image.shape[:2], use.input.imgsz, use.input.dynamic)
    session.load(images.letterbox(image, placement))
    engine_ms, limits = session.run(), use.thresholds
    kept = postprocess.detect(session.fetch()[0], limits.conf, limits.iou, limits.max_det)
    rows = zip(letterbox.to_image(kept.boxes, placement).tolist(), kept.scores.tolist(), kept.classes, strict=True)
    return [{"class": use.classes[kind], "score": score, "box": box} for box, score, kind in rows], engine_ms


def main(folder, source, out):
    """Detect in all images, draw the boxes, and print the medians of what an image took."""
    if out.resolve() == (source if source.is_dir() else source.parent).resolve():
        raise UserError(f"{out}: holds what is read, which drawn images would replace; name another folder for them")
    (use, opened), detections, times = usage.opened(folder), {}, []
    if use.input.batch > 1:
        raise UserError(f"{folder}: takes {use.input.batch} images at a time; give the cell of one, without -b")
    with opened as session:
        out.mkdir(parents=True, exist_ok=True)
        for name, image in frames(source):
            start = time.perf_counter()
            detections[name], engine_ms = detect(session, use, image)
            times.append((engine_ms, 1e3 * (time.perf_counter() - start)))
            for entry in detections[name]:
                left, top, right, bottom = map(round, entry["box"])
                cv2.rectangle(image, (left, top), (right, bottom), (0, 0, 255), 2)
                place = left, max(top - 4, 12)
                cv2.putText(image, entry["class"], place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 255))
            cv2.imwrite(str(out / name), image)
    (out / "detections.json").write_text(json.dumps(detections, indent=1), "utf-8")
    engine, whole = map(median, zip(*times, strict=True))
    print(f"{len(times)} images, medians: {engine:.2f} ms in the engine, {whole:.2f} ms from pixels to boxes")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    try:
        main(*map(Path, sys.argv[1:]))
    except Exception as error:
        sys.exit(explain(error))
