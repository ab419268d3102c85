"""Generated COCO files: each refused, or scored as pycocotools scores it.

SPEEDMAP_EXAMPLES=400 pytest -s tests/unit/dataset/test_differential_coco.py
"""

import contextlib
import copy
import io
import json
import os
from collections import Counter

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from msgspec import structs
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from helpers.data_set import asked
from speedmap.accuracy import evaluate
from speedmap.dataset import coco
from speedmap.dataset.coco_json import DatasetError

EXAMPLES = int(os.environ.get("SPEEDMAP_EXAMPLES", "40"))
SIZES = [(64, 48), (80, 60), (48, 96), (120, 40)]  # width, height
COUNTED = Counter()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder, random = tmp_path_factory.mktemp("generated"), np.random.default_rng(0)
    for kind, sizes in (("images", SIZES), ("calibration", SIZES[:2])):
        (folder / kind).mkdir()
        for index, (width, height) in enumerate(sizes):
            cv2.imwrite(str(folder / kind / f"{index}.png"), random.integers(0, 255, (height, width, 3), np.uint8))
    yield folder
    print(dict(COUNTED))


def box_in(draw, width, height):
    x, y = draw(st.integers(0, width - 12)), draw(st.integers(0, height - 12))
    return [x, y, draw(st.integers(4, width - x)), draw(st.integers(4, height - y))]


def sound(draw):
    """A whole COCO file."""
    first, step = draw(st.sampled_from([(0, 1), (1, 1), (5, 3)]))
    categories = [{"id": first + step * n, "name": f"k{n}"} for n in range(draw(st.integers(1, 12)))]
    images = [{"id": 10 + 7 * n, "file_name": f"{n}.png", "width": width, "height": height}
              for n, (width, height) in enumerate(SIZES[: draw(st.integers(1, 4))])]  # fmt: skip
    annotations = []
    for number in range(draw(st.integers(1, 12))):
        image, category = draw(st.sampled_from(images)), draw(st.sampled_from(categories))
        x, y, width, height = box_in(draw, image["width"], image["height"])
        corners = [x, y, x + width, y, x + width, y + height, x, y + height]
        annotations.append({"id": number + draw(st.sampled_from([0, 1])) * 100, "image_id": image["id"],
                            "category_id": category["id"], "bbox": [x, y, width, height], "area": width * height,
                            "iscrowd": int(draw(st.integers(0, 5)) == 0), "segmentation": [corners]})  # fmt: skip
    return {"images": images, "annotations": annotations, "categories": categories}


def text_ids(content, draw):
    for key in ("images", "annotations", "categories"):
        for entry in content[key]:
            entry.update({name: str(entry[name]) for name in ("id", "image_id", "category_id") if name in entry})


def dropped(content, draw):
    for key in draw(st.sets(st.sampled_from(["area", "iscrowd", "bbox", "id", "segmentation"]), min_size=1)):
        for entry in content["annotations"][draw(st.integers(0, 2)) :]:
            entry.pop(key)


def no_sizes(content, draw):
    for image in content["images"]:
        image.pop("width"), image.pop("height")


def odd_sizes(content, draw):
    draw(st.sampled_from(content["images"]))["width"] = draw(st.sampled_from([-1, 0, None, "64", 33, 64.0, 64.5, True]))


def grouped(content, draw):
    for category in content["categories"]:
        category["supercategory"] = "all"
    content["categories"].append({"id": 99, "name": "all", "supercategory": "none"})


def corners(content, draw):
    for entry in content["annotations"]:
        x, y, width, height = entry["bbox"]
        entry["bbox"] = [x, y, x + width, y + height]


def fractions(content, draw):
    sizes = {image["id"]: (image["width"], image["height"]) for image in content["images"]}
    for entry in content["annotations"]:
        entry["bbox"] = [side / sizes[entry["image_id"]][index % 2] for index, side in enumerate(entry["bbox"])]


def one_reference(content, draw):
    entry, key = draw(st.sampled_from(content["annotations"])), draw(st.sampled_from(["image_id", "category_id"]))
    entry[key] = draw(st.sampled_from([str(entry[key]), None, 12345, float(entry[key])]))


def degenerate(content, draw):
    entry = draw(st.sampled_from(content["annotations"]))
    entry["bbox"][draw(st.integers(0, 3))] = draw(st.sampled_from([0, -3, None, "7", 0.5, 1e9, float("nan")]))


def shuffled(content, draw):
    for key in ("images", "annotations", "categories"):
        content[key] = draw(st.permutations(content[key]))


CHANGES = [text_ids, dropped, no_sizes, odd_sizes, grouped, corners, fractions, one_reference, degenerate, shuffled]
SOUND = {text_ids, no_sizes, shuffled, grouped}
LAST = {corners, fractions}  # use what others may have taken away or written as texts


def plain(content, results, ids):
    """Score by pycocotools alone, with the keys that it needs filled in as COCO defines them."""
    content = copy.deepcopy(content)
    for number, entry in enumerate(content["annotations"], 1):
        entry["id"] = number  # it takes the id 0 of a matched object for no match
        if "bbox" not in entry:
            xs, ys = entry["segmentation"][0][0::2], entry["segmentation"][0][1::2]
            entry["bbox"] = [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)]
        entry.setdefault("iscrowd", 0)
        entry.setdefault("area", entry["bbox"][2] * entry["bbox"][3])
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = content
        truth.createIndex()
        done = COCOeval(truth, truth.loadRes(copy.deepcopy(results)), "bbox")
        done.params.imgIds = ids
        done.evaluate(), done.accumulate(), done.summarize()
    return done.stats[:6]


@seed(19)
@settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_a_generated_file_is_refused_or_scored_as_pycocotools_scores_it(folder, data):
    draw = data.draw
    content = sound(draw)
    changes = draw(st.lists(st.sampled_from(CHANGES), max_size=2, unique=True))
    for change in sorted(changes, key=lambda one: one not in LAST):
        change(content, draw)
    path = folder / "truth.json"
    path.write_text(json.dumps(content))
    try:
        record = coco.inventory(asked(folder, annotations=path), None)
    except DatasetError:
        record = None
    if record is None:
        crowds = all(entry.get("iscrowd") for entry in content["annotations"])
        twice = len({str(entry.get("id")) for entry in content["annotations"]}) < len(content["annotations"])
        assert crowds or twice or set(changes) - SOUND  # what is sound is never refused
        COUNTED["refused"] += 1
        return
    ids = [image.id for image in record.images]
    results = []
    for entry in content["annotations"]:
        x, y, width, height = entry.get("bbox") or [5, 5, 20, 20]
        near = [x + draw(st.integers(-3, 3)), y, width * draw(st.sampled_from([0.8, 1, 1.3])), height]
        category = draw(st.sampled_from(record.categories)).id
        for kind in (entry["category_id"], category):
            result = {"image_id": entry["image_id"], "category_id": kind, "bbox": near}
            results.append({**result, "score": draw(st.integers(1, 99)) / 100})
    ours = structs.astuple(evaluate.judge(path, results, ids).metrics)[:6]
    assert np.allclose(ours, plain(content, results, ids), rtol=0, atol=1e-9)
    COUNTED["equal"] += 1
