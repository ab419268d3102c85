"""The mAP of COCO results."""

import contextlib
import io
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from msgspec import structs, to_builtins
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from speedmap import storage
from speedmap.accuracy import bootstrap, paired_difference
from speedmap.dataset import coco_json
from speedmap.dataset.instances import Instances
from speedmap.model import postprocess
from speedmap.results.accuracy import Draws, Evaluated, Evaluation, Metrics, OfClass
from speedmap.results.environment import Opened
from speedmap.results.inventory import Dataset

METRICS = ("map", "map50", "map75", "map_small", "map_medium", "map_large")  # COCOeval's first six, fractions of 1


def score(results: list[dict], data: Dataset, imgsz: int, session: Opened) -> Evaluated:
    """Score the COCO results in a data set; imgsz and session tell how they came about."""
    evaluation = judge(Path(data.annotations), results, [image.id for image in data.images])
    doubts = postprocess.doubts(results)
    return Evaluated(**structs.asdict(evaluation), imgsz=imgsz, dataset=data.named(), session=session, warnings=doubts)


def judge(annotations: Path, results: list[dict], image_ids: list[int]) -> Evaluation:
    """Score COCO results; the bootstrap of the mAP is that behind its standard error."""
    if not results:
        return Evaluation(metrics=Metrics(**dict.fromkeys(METRICS, 0.0), map_se=None), bootstrap=Draws())
    instances = coco_json.parse(annotations)  # pycocotools itself would read it by the locale
    done = evaluation(instances, results, image_ids)
    draws = bootstrap.draws(done)
    error = paired_difference.standard_error(draws.map)
    scored = Metrics(**metrics(done), map_se=error)
    return Evaluation(metrics=scored, bootstrap=draws, classes=by_class(done, instances))


def write_detections(path: Path, results: list[dict]) -> None:
    """Write a COCO result file."""
    with storage.atomic(path) as temporary:
        temporary.write_text(json.dumps(results), "utf-8")


def evaluation(instances: Instances, results: list[dict], image_ids: Iterable[int]) -> COCOeval:
    """Let pycocotools match at least one COCO result with the objects of the given images, and sum up."""
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools reports its progress by printing
        truth = COCO()
        for number, annotation in enumerate(instances.annotations, 1):
            annotation.id = number  # COCOeval takes the id 0 of a matched object for no match
        truth.dataset = to_builtins(instances)
        truth.createIndex()
        done = COCOeval(truth, truth.loadRes(results), "bbox")
        done.params.imgIds = sorted(image_ids, key=coco_json.order)
        done.evaluate()
        done.accumulate()
        done.summarize()
    return done


def metrics(done: COCOeval) -> dict:
    """Name the METRICS of an evaluation, fractions of 1."""
    return dict(zip(METRICS, map(float, done.stats[:6]), strict=True))


def by_class(done: COCOeval, instances: Instances) -> list[OfClass]:
    """Take each class's AP50-95 from an evaluation, at its largest number of detections in an image, for any area."""
    images, ids = set(done.params.imgIds), done.params.catIds
    here = (one for one in instances.annotations if one.image_id in images and not one.iscrowd)
    objects, names = Counter(one.category_id for one in here), {each.id: each.name for each in instances.categories}
    means = done.eval["precision"][..., 0, -1].mean(axis=(0, 1))  # of thresholds x recalls, -1 without objects
    return [OfClass(name=names[number], ap=float(mean), objects=objects[number])
            for number, mean in zip(ids, means, strict=True)]  # fmt: skip
