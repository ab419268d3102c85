import json
import shutil

import cv2
import numpy as np
import pytest

from speedmap import coco
from speedmap.coco import DatasetError
from speedmap.images import ImageError


@pytest.fixture
def dataset(tmp_path):
    """Two evaluation images with a box each, two calibration images; edits go through `truth`."""
    random = np.random.default_rng(0)
    for folder, count in (("images", 2), ("calibration", 2)):
        (tmp_path / folder).mkdir()
        for index in range(count):
            pixels = random.integers(0, 255, (48, 64, 3), np.uint8)
            cv2.imwrite(str(tmp_path / folder / f"{index}.png"), pixels)
    truth = {
        "images": [{"id": index, "file_name": f"{index}.png", "height": 48, "width": 64} for index in range(2)],
        "annotations": [{"id": index + 1, "image_id": index, "category_id": 9, "bbox": [4, 4, 20, 20], "area": 400,
                         "iscrowd": 0} for index in range(2)],
        "categories": [{"id": 9, "name": "disc"}, {"id": 2, "name": "bar"}],
    }  # fmt: skip
    return tmp_path, truth


def inventory(dataset, limit=None):
    folder, truth = dataset
    (folder / "truth.json").write_text(json.dumps(truth))
    return coco.inventory(folder / "images", folder / "truth.json", folder / "calibration", "tiny", limit, 640)


def test_an_inventory_says_what_is_there(dataset):
    record = inventory(dataset)
    assert record["shapes"] == {"480x640": 2}
    assert record["boxes"] == 2
    assert [category["name"] for category in record["categories"]] == ["bar", "disc"]
    assert len({image["sha256"] for image in record["images"] + record["calibration"]}) == 4


def test_limit_takes_the_first_images_by_id(dataset):
    dataset[1]["images"].reverse()
    assert [image["id"] for image in inventory(dataset, limit=1)["images"]] == [0]


def test_a_hash_follows_the_content(dataset):
    first = inventory(dataset)["sha256"]
    dataset[1]["annotations"][0]["bbox"][0] = 5
    assert inventory(dataset)["sha256"] != first


def spoil_json(folder, truth):
    truth["images"] = "none"


def spoil_boxes(folder, truth):
    truth["annotations"] = []


def spoil_ids(folder, truth):
    truth["images"][1]["id"] = 0


def spoil_name(folder, truth):
    truth["images"][0]["file_name"] = "../calibration/0.png"


def spoil_size(folder, truth):
    truth["images"][0]["height"], truth["images"][0]["width"] = 64, 48


def spoil_missing(folder, truth):
    (folder / "images/1.png").unlink()


def spoil_overlap(folder, truth):
    shutil.copy(folder / "images/1.png", folder / "calibration/other-name.png")


def spoil_calibration(folder, truth):
    shutil.rmtree(folder / "calibration")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (spoil_json, r"truth\.json: no COCO instances JSON"),
        (spoil_boxes, r"truth\.json: no boxes"),
        (spoil_ids, "image id 0 occurs twice"),
        (spoil_name, r"lies outside dataset\.images"),
        (spoil_size, r"0\.png: is 48x64 but .* says 64x48"),
        (spoil_missing, r"1\.png: named in .* but not there"),
        (spoil_overlap, r"other-name\.png: calibration image equals an evaluation image"),
        (spoil_calibration, "calibration: no images in it"),
    ],
)
def test_a_bad_data_set_is_refused_by_name(dataset, spoil, message):
    spoil(*dataset)
    with pytest.raises(DatasetError, match=message):
        inventory(dataset)


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n"])
def test_an_unreadable_image_is_refused_by_name(dataset, content):
    (dataset[0] / "images/1.png").write_bytes(content)
    with pytest.raises(ImageError, match=r"1\.png: no readable image"):
        inventory(dataset)


def test_annotations_that_are_not_json(dataset):
    for content in ("{", "[" * 100_000, "\0"):
        (dataset[0] / "truth.json").write_text(content)
        with pytest.raises(DatasetError, match="no COCO instances JSON"):
            coco.parse(dataset[0] / "truth.json")
    with pytest.raises(DatasetError, match="no such file"):
        coco.parse(dataset[0] / "nowhere.json")


def test_perfect_detections_score_one_and_none_zero(dataset):
    folder, truth = dataset
    inventory(dataset)
    found = [{**{key: box[key] for key in ("image_id", "category_id", "bbox")}, "score": 0.9}
             for box in truth["annotations"]]  # fmt: skip
    assert coco.evaluate(folder / "truth.json", found, [0, 1])["map"] == pytest.approx(1)
    assert coco.evaluate(folder / "truth.json", found[:1], [0, 1])["map"] == pytest.approx(0.5, abs=0.01)
    assert coco.evaluate(folder / "truth.json", [], [0, 1])["map"] == 0
