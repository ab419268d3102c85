"""The mAP of COCO results, in one piece or in parts."""

import contextlib
import io
import json
from collections.abc import Iterable
from pathlib import Path

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from speedmap import storage
from speedmap.accuracy import bootstrap, paired_difference
from speedmap.errors import UserError
from speedmap.model import postprocess
from speedmap.results.metadata import describe

METRICS = ("map", "map50", "map75", "map_small", "map_medium", "map_large")  # COCOeval's first six, fractions of 1

SAME = ("artefact", "protocol", "imgsz")  # in all parts of one figure


class Mixed(UserError):
    """Parts of a data set that different engines or machines have detected in."""


def score(parts: list[dict], data: dict, code: str) -> tuple[dict, list[dict]]:
    """Join the parts of a data set in their order and score them; returns the accuracy record and the COCO results.

    code: fingerprint of the code that detected and scored. Raises Mixed when the parts do not belong together.
    """
    parts = sorted(parts, key=lambda part: part["part"])
    first = parts[0]
    _check_alike(parts)
    found = [entry for part in parts for entry in part["detections"]]
    return {
        **{key: value for key, value in first.items() if key not in ("part", "detections")},
        **judge(Path(data["annotations"]), found, [image["id"] for image in data["images"]]),
        "environment": {**first["environment"], "code": code},
        "runs": [run for part in parts for run in part["runs"]],
        "dataset": describe(data),
        "warnings": postprocess.doubts(found),
    }, found


def _check_alike(parts: list[dict]) -> None:
    """Refuse parts that are missing or doubled, or that came about in different ways."""
    wanted = [[number, len(parts)] for number in range(1, len(parts) + 1)]
    if [part["part"] for part in parts] != wanted:
        raise Mixed(f"detections: parts {[part['part'] for part in parts]} are no whole; delete them and run again")
    for key in SAME:
        if any(part[key] != parts[0][key] for part in parts):
            raise Mixed(f"detections: their parts differ in {key}; delete them and run again")
    platforms = [part["environment"]["platform"] for part in parts]
    if any(platform != platforms[0] for platform in platforms):
        raise Mixed(f"detections: their parts come from {platforms[0]} and others; keep a cell on one kind of machine")


def judge(annotations: Path, found: list[dict], image_ids: list[int]) -> dict:
    """Score COCO results; returns the metrics, `map_se` among them, and the `bootstrap` behind that.

    map_se: the standard error of map over other images like these, None when nothing was found or in one image only.
    """
    if not found:
        return {"metrics": {**dict.fromkeys(METRICS, 0.0), "map_se": None}, "bootstrap": {}}
    done = evaluation(annotations, found, image_ids)
    draws = bootstrap.draws(done)
    error = paired_difference.standard_error(draws.get("map", ()))
    return {"metrics": {**metrics(done), "map_se": error}, "bootstrap": draws}


def write_detections(path: Path, found: list[dict]) -> None:
    """Write a COCO result file."""
    with storage.atomic(path) as temporary:
        temporary.write_text(json.dumps(found))


def evaluate(annotations: Path, found: list[dict], image_ids: Iterable[int]) -> dict:
    """Score COCO results on the given images; returns the METRICS as fractions of 1, all 0 when nothing was found."""
    return metrics(evaluation(annotations, found, image_ids)) if found else dict.fromkeys(METRICS, 0.0)


def evaluation(annotations: Path, found: list[dict], image_ids: Iterable[int]) -> COCOeval:
    """Let pycocotools match at least one COCO result with the objects of the given images, and sum up."""
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools reports its progress by printing
        truth = COCO(str(annotations))
        for number, annotation in enumerate(truth.dataset["annotations"], 1):
            annotation["id"] = number  # COCOeval takes the id 0 of a matched object for no match
        truth.createIndex()
        done = COCOeval(truth, truth.loadRes(found), "bbox")
        done.params.imgIds = sorted(image_ids)
        done.evaluate()
        done.accumulate()
        done.summarize()
    return done


def metrics(done: COCOeval) -> dict:
    """Name the METRICS of an evaluation, fractions of 1."""
    return dict(zip(METRICS, map(float, done.stats[:6]), strict=True))
