import json

import numpy as np
import pytest

from speedmap.accuracy import bootstrap as map_bootstrap
from speedmap.accuracy import evaluate, paired_difference
from speedmap.dataset import coco_json
from speedmap.results.accuracy import Draws

IMAGES, CLASSES = 40, 3


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """An invented data set, and a detector that finds most of it, badly placed, with false alarms."""
    random, objects, found = np.random.default_rng(0), [], []
    for image in range(1, IMAGES + 1):
        for _ in range(random.integers(1, 6)):
            x, y, side, kind = *random.uniform(0, 80, 2), random.uniform(8, 20), int(random.integers(1, CLASSES + 1))
            objects.append(entry(image, kind, x, y, side))
            if random.random() < 0.8:
                moved = np.array([x, y]) + random.normal(0, 1, 2)
                found.append(entry(image, kind, *moved, side, score=float(random.uniform(0.2, 1))))
        found.append(entry(image, 1, *random.uniform(0, 80, 2), 10.0, score=float(random.uniform(0, 0.9))))
    return write(tmp_path_factory.mktemp("coco") / "truth.json", objects), found


def entry(image, kind, x, y, side, **more):
    return {"image_id": image, "category_id": kind, "bbox": [float(x), float(y), float(side), float(side)], **more}


def write(path, objects):
    listed = [
        {**item, "id": index, "area": item["bbox"][2] ** 2, "iscrowd": 0} for index, item in enumerate(objects, 1)
    ]
    categories = [{"id": index, "name": str(index)} for index in range(1, CLASSES + 1)]
    images = [{"id": image} for image in range(1, 3 * IMAGES)]
    path.write_text(json.dumps({"images": images, "annotations": listed, "categories": categories}))
    return path


def evaluated(world, images=range(1, IMAGES + 1)):
    truth, found = world
    return evaluate.evaluation(coco_json.parse(truth), found, list(images))


def test_equal_weights_give_what_pycocotools_gives(world):
    done = evaluated(world)
    values = map_bootstrap.weighted(done, np.ones((1, IMAGES), int))
    assert [values["map"][0], values["map50"][0]] == pytest.approx(done.stats[:2], abs=1e-12)


def test_a_weight_of_zero_is_an_image_less(world):
    weights = np.ones((IMAGES, IMAGES), int) - np.eye(IMAGES, dtype=int)
    values = map_bootstrap.weighted(evaluated(world), weights)["map"]
    for left_out in (1, 7, IMAGES):
        rest = [image for image in range(1, IMAGES + 1) if image != left_out]
        assert values[left_out - 1] == pytest.approx(evaluated(world, rest).stats[0], abs=1e-12)


def test_a_weight_of_two_is_an_image_twice(world, tmp_path):
    truth, found = world
    objects = json.loads(truth.read_text())["annotations"]
    copy = IMAGES + 1
    doubled = write(
        tmp_path / "doubled.json", objects + [{**item, "image_id": copy} for item in objects if item["image_id"] == 3]
    )
    again = found + [{**item, "image_id": copy} for item in found if item["image_id"] == 3]
    weights = np.ones((1, IMAGES), int)
    weights[0, 2] = 2
    expected = evaluate.evaluation(coco_json.parse(doubled), again, list(range(1, copy + 1))).stats[0]
    assert map_bootstrap.weighted(evaluated(world), weights)["map"][0] == pytest.approx(expected, abs=1e-12)


def test_a_category_that_loses_its_only_image_no_longer_counts(world, tmp_path):
    truth, found = world
    objects = [
        item
        for item in json.loads(truth.read_text())["annotations"]
        if item["category_id"] != 3 or item["image_id"] == 5
    ]
    rare = write(tmp_path / "rare.json", [*objects, entry(5, 3, 0, 0, 10)])
    done = evaluate.evaluation(coco_json.parse(rare), found, list(range(1, IMAGES + 1)))
    weights = np.ones((1, IMAGES), int)
    weights[0, 4] = 0
    rest = [image for image in range(1, IMAGES + 1) if image != 5]
    expected = evaluate.evaluation(coco_json.parse(rare), found, rest).stats[0]
    assert map_bootstrap.weighted(done, weights)["map"][0] == pytest.approx(expected, abs=1e-12)


def test_the_error_agrees_with_more_draws(world):
    done = evaluated(world)
    weights = np.random.default_rng(map_bootstrap.SEED + 1).multinomial(IMAGES, np.full(IMAGES, 1 / IMAGES), 1000)
    bootstrap = map_bootstrap.weighted(done, weights)["map"].std(ddof=1)
    assert paired_difference.standard_error(map_bootstrap.draws(done).map) == pytest.approx(bootstrap, rel=0.12)


def test_a_difference_is_surer_than_the_figures(world):
    truth, found = world
    worse = [item for index, item in enumerate(found) if index % 20]
    one, other = (np.array(map_bootstrap.draws(evaluated((truth, results))).map) for results in (found, worse))
    assert paired_difference.standard_error(one - other) < 0.6 * paired_difference.standard_error(one)
    assert paired_difference.standard_error(one - one) == 0


def test_groups_hold_many_images(world, monkeypatch):
    single = paired_difference.standard_error(map_bootstrap.draws(evaluated(world)).map)
    monkeypatch.setattr(map_bootstrap, "GROUPS", IMAGES // 2)
    grouped = map_bootstrap.draws(evaluated(world))
    assert len(grouped.map) == len(grouped.map50) == map_bootstrap.DRAWS
    assert paired_difference.standard_error(grouped.map) == pytest.approx(single, rel=0.3)


def test_one_image_has_no_error(world):
    truth, found = world
    judged = evaluate.judge(truth, [item for item in found if item["image_id"] == 1], [1])
    assert judged.metrics.map > 0
    assert (judged.metrics.map_se, judged.bootstrap) == (None, Draws())


def test_draws_are_the_same_for_every_engine(world):
    assert map_bootstrap.draws(evaluated(world)) == map_bootstrap.draws(evaluated(world))
