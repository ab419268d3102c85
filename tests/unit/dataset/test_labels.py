import random
from pathlib import Path

import cv2
import numpy as np
import pytest
from msgspec import json, to_builtins

from helpers import yolo
from helpers.data_set import asked
from speedmap.accuracy import evaluate
from speedmap.dataset import coco, coco_json, data_yaml, labels
from speedmap.dataset.coco_json import DatasetError

SAMPLE = Path(__file__).parents[3] / "sample"


@pytest.fixture
def folder(tmp_path):
    """Two images of 64 x 48 to evaluate, each with a label; two others to train on."""
    pixels = np.random.default_rng(0).integers(0, 255, (4, 48, 64, 3), np.uint8)
    for number, split in enumerate(("val", "val", "train", "train")):
        (tmp_path / "images" / split).mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(tmp_path / f"images/{split}/{number}.png"), pixels[number])
    (tmp_path / "labels/val").mkdir(parents=True)
    for number in range(2):
        (tmp_path / f"labels/val/{number}.txt").write_text("1 0.5 0.5 0.25 0.5\n")
    (tmp_path / "data.yaml").write_text("train: images/train\nval: images/val\nnames: [disc, bar]\n")
    return tmp_path


def instances(folder):
    return labels.instances(data_yaml.read(folder / "data.yaml"))


def label(folder, text):
    (folder / "labels/val/0.txt").write_text(text)


def test_a_label_becomes_a_box_in_pixels(folder):
    content = to_builtins(instances(folder))
    assert content["images"][0] == {"id": 1, "file_name": "0.png", "width": 64, "height": 48}
    box = {"bbox": [24, 12, 16, 24], "area": 384, "iscrowd": 0}
    assert content["annotations"][0] == {"id": 1, "image_id": 1, "category_id": 1, **box}
    assert content["categories"] == [{"id": 0, "name": "disc"}, {"id": 1, "name": "bar"}]


def test_what_comes_out_is_a_data_set(folder):
    (folder / "truth.json").write_bytes(json.encode(instances(folder)))
    listed = data_yaml.calibration(data_yaml.read(folder / "data.yaml"), None)
    (folder / "spare.txt").write_text("".join(f"{file}\n" for file in listed))
    found = coco.inventory(asked(folder, images="images/val", calibration="spare.txt", data="d"), None)
    assert [Path(image.file).name for image in found.images] == ["0.png", "1.png"]
    assert [Path(image.file).name for image in found.calibration] == ["2.png", "3.png"]
    assert (found.boxes, found.derived, found.asked.data) == (2, [], "d")


def test_an_image_without_a_label_is_background(folder):
    label(folder, "")
    (folder / "labels/val/1.txt").unlink()
    label(folder, "0 0.5 0.5 1 1.000\n\n")
    content = instances(folder)
    assert [one.image_id for one in content.annotations] == [1]
    assert len(content.images) == 2
    assert content.derived == ["1 of 2 images without a label file count as background"]
    (folder / "truth.json").write_bytes(json.encode(content))
    assert coco_json.parse(folder / "truth.json").derived == content.derived


def test_a_segment_has_the_box_around_it(folder):
    label(folder, "0 0.25 0.5 0.5 0.25 0.75 1\n")
    (folder / "truth.json").write_bytes(json.encode(instances(folder)))
    content = coco_json.parse(folder / "truth.json")
    assert content.annotations[0].bbox == [16, 12, 32, 36]
    assert "bbox from the segmentation (of 1 annotations)" in content.derived


def test_a_label_that_repeats_another_is_left_out_and_said(folder):
    label(folder, "1 0.5 0.5 0.25 0.5\n0 0.5 0.5 0.25 0.5\n1.0 0.50 0.5 0.25 0.5\n")
    content = instances(folder)
    assert [one.category_id for one in content.annotations] == [1, 0, 1]
    assert content.derived == ["1 labels that repeat another of their image left out"]


def test_a_class_may_be_written_as_a_float_and_a_file_with_a_byte_order_mark(folder):
    label(folder, "\ufeff1.000e+00 5.0e-1 0.5 0.25 0.5\r\n")
    assert instances(folder).annotations[0].category_id == 1


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("2 0.5 0.5 0.1 0.1", "has the class 2, but names in data.yaml has 0 to 1"),
        ("-1 0.5 0.5 0.1 0.1", "has the class -1"),
        ("0.5 0.5 0.5 0.1 0.1", "has the class 0.5"),
        ("0 0.5 0.5 0.1", "has 4 numbers; give class, x, y, width and height"),
        ("0 0.5 0.5 0.1 0.1 0.9", "has 6 numbers; .* detections, with a score"),
        ("0 0.5 0.5 0.1 0.1 0.9 0.9 1", "has 8 numbers"),
        ("0 32 24 10 10", "has 32, no fraction of the image; divide x and width by the image's width"),
        ("0 0.5 -0.1 0.1 0.1", "has -0.1, no fraction"),
        ("0 0.5 nan 0.1 0.1", "has nan, no fraction"),
        ("0 0.5 0.5 0.1 inf", "has inf, no fraction"),
        ("0 0.5 0.5 0.1 0", "has a box of no height"),
        ("0 0.5 0.5 0 0.1", "has a box of no width"),
        ("disc 0.5 0.5 0.1 0.1", "is 'disc 0.5 0.5 0.1 0.1', no numbers"),
        ("0,0.5,0.5,0.1,0.1", ".*, no numbers"),
    ],
)
def test_a_wrong_label_is_named_by_file_and_line(folder, line, message):
    label(folder, f"0 0.5 0.5 0.1 0.1\n{line}\n")
    with pytest.raises(DatasetError, match=rf"labels/val/0\.txt: line 2 {message}") as caught:
        instances(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"), [(b"\xff\xfe\x00\x01", "is no text"), (b" " * (labels.LARGEST + 1), "has 10 MB, too many")]
)
def test_a_file_that_is_no_label_is_named(folder, content, message):
    (folder / "labels/val/0.txt").write_bytes(content)
    with pytest.raises(DatasetError, match=rf"labels/val/0\.txt: {message}"):
        instances(folder)


def remove(folder, name):
    (folder / name).rename(folder / "elsewhere")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: remove(folder, "labels"), r"labels/val: no such folder, but YOLO has the labels there"),
        (lambda folder: remove(folder, "images/val/0.png"), r"labels/val/0\.txt: a label without image \(1 such\)"),
        (
            lambda folder: [path.rename(path.with_suffix(".old")) for path in list((folder / "labels/val").iterdir())],
            "labels/val: has no label of the val images, such as 0.txt",
        ),
        (
            lambda folder: [remove(folder, f"images/val/{number}.png") for number in range(2)],
            "images/val: no images in it; .*data.yaml names it as val",
        ),
        (
            lambda folder: (folder / "images/val/0.png").write_bytes(b""),
            r"images/val/0\.png: no readable image, but an empty file",
        ),
    ],
    ids=["no labels", "label without image", "labels of others", "no images", "broken image"],
)
def test_what_is_missing_is_named(folder, spoil, message):
    spoil(folder)
    with pytest.raises((DatasetError, coco.images.ImageError), match=message):
        instances(folder)


def test_a_list_leaves_images_out_but_names_none_that_is_not_there(folder):
    data = (folder / "data.yaml").read_text().replace("val: images/val", "val: val.txt")
    (folder / "data.yaml").write_text(data)
    (folder / "val.txt").write_text("images/val/1.png\n")
    assert [image.file_name for image in instances(folder).images] == ["1.png"]
    (folder / "val.txt").write_text("images/val/1.png\nimages/val/9.png\n")
    with pytest.raises(DatasetError, match=r"images/val/9\.png: no such image \(1 such\), to which val in"):
        instances(folder)


def test_a_list_of_classes_among_the_labels_is_none(folder):
    (folder / "labels/val/classes.txt").write_text("disc\nbar\n")
    assert len(instances(folder).annotations) == 2


def detections(truth, seed):
    """Boxes near the true ones, some of them wrong, in the order of the images."""
    chance = random.Random(seed)
    return [{"image_id": one["image_id"], "category_id": one["category_id"], "score": chance.random(),
             "bbox": [side + chance.gauss(0, 0.05 * one["bbox"][2]) for side in one["bbox"]]}
            for one in truth["annotations"] for _ in range(2)]  # fmt: skip


def test_labels_score_as_the_coco_json_that_they_are_made_from_to_the_last_digit(tmp_path):
    source = SAMPLE / "instances.json"
    data = data_yaml.read(
        yolo.write(tmp_path / "yolo", source, SAMPLE / "images", sorted((SAMPLE / "calibration").iterdir()))
    )
    (tmp_path / "made.json").write_bytes(json.encode(labels.instances(data)))
    truth, made = (to_builtins(coco_json.parse(path)) for path in (source, tmp_path / "made.json"))
    assert [image["file_name"] for image in made["images"]] == [image["file_name"] for image in truth["images"]]
    assert [one["name"] for one in made["categories"]] == [one["name"] for one in truth["categories"]]
    boxes = [np.array([one["bbox"] for one in content["annotations"]]) for content in (truth, made)]
    assert np.abs(boxes[0] - boxes[1]).max() < 1e-9
    ids = {kind: {old["id"]: new["id"] for old, new in zip(truth[kind], made[kind], strict=True)}
           for kind in ("images", "categories")}  # fmt: skip
    found = detections(truth, 1)
    moved = [{**one, "image_id": ids["images"][one["image_id"]], "category_id": ids["categories"][one["category_id"]]}
             for one in found]  # fmt: skip
    expected = evaluate.judge(source, found, list(ids["images"])).metrics
    assert evaluate.judge(tmp_path / "made.json", moved, list(ids["images"].values())).metrics == expected
    assert 0.01 < expected.map < 0.99
