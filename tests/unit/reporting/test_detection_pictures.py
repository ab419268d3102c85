"""Which detections two engines have in common, which images are shown, and each class's AP."""

import json
from dataclasses import replace

import cv2
import numpy as np
from msgspec import structs

from helpers.record_factory import dataset, image, result
from speedmap.reporting import by_class, detection_pictures
from speedmap.reporting.detection_pictures import Detection, match
from speedmap.results.accuracy import OfClass
from speedmap.results.inventory import Category


def one(left, score=0.9, category=1, image_id=1):
    return Detection(image_id, category, (left, 0.0, 100.0, 100.0), score)


def test_boxes_of_one_class_that_overlap_by_half_are_one_object():
    near, far, other = one(30), one(40), one(0, category=2)
    assert match([one(0)], [near]) == ([one(0)], [], [])  # 70 of 130
    assert match([one(0)], [far]) == ([], [one(0)], [far])  # 60 of 140
    assert match([one(0)], [other]) == ([], [one(0)], [other])


def test_a_box_is_matched_once_with_the_one_that_fits_best():
    both, alone, left = match([one(0, 0.9), one(1, 0.8)], [one(20, 0.95), one(0, 0.5)])
    assert (both, alone, left) == ([one(0, 0.9), one(1, 0.8)], [], [])
    assert match([one(0), one(1)], [one(0)]) == ([one(0)], [one(1)], [])


def written(folder, precision, detections, model="a"):
    row = result("null", model, precision)
    path = folder / row.cell.folder
    path.mkdir(parents=True)
    (path / "detections.json").write_text(json.dumps([structs.asdict(one) for one in detections]))
    return row


def data(folder, count):
    """A data set of drawn images that are wider than a picture."""
    files = [folder / f"{number}.png" for number in range(1, count + 1)]
    for file in files:
        cv2.imwrite(str(file), np.full((300, 840, 3), 128, np.uint8))
    return dataset(
        [image(file, number) for number, file in enumerate(files, 1)], categories=[Category(id=1, name="cat")]
    )


def test_pictures_show_the_surest_differences_first_and_each_image_once(tmp_path):
    everywhere = [one(0, image_id=number) for number in range(1, 10)]
    more = [one(400, score=number / 10, image_id=number) for number in range(3, 10)] + [one(400, 0.1, image_id=1)]
    rows = [written(tmp_path, "fp16", everywhere), written(tmp_path, "int8", everywhere + more)]
    drawn = detection_pictures.pictures(rows, data(tmp_path, 9), tmp_path)
    assert [picture.file for picture in drawn] == [f"{number}.png" for number in (9, 8, 7, 6, 5, 4)]
    assert (drawn[0].width, drawn[0].height) == (420, 150)
    assert (drawn[0].of("fp16"), drawn[0].of("int8"), drawn[0].of("both")) == ([], ["cat 0.90"], ["cat 0.90"])
    assert (drawn[0].boxes[1].left, drawn[0].boxes[1].width) == (200, 50)  # in the picture's pixels
    assert sum(len(picture.data) for picture in drawn) < 100_000


def test_images_that_are_gone_and_cells_without_detections_are_left_out(tmp_path):
    rows = [written(tmp_path, "fp16", [one(0)]), written(tmp_path, "int8", [one(400)])]
    some = data(tmp_path, 1)
    assert len(detection_pictures.pictures(rows, some, tmp_path)) == 1
    (tmp_path / "1.png").unlink()
    assert detection_pictures.pictures(rows, some, tmp_path) == []
    assert detection_pictures.pictures([result("null", "b"), result("null", "b", "int8")], some, tmp_path) == []


def test_pairs_are_of_the_first_input_mode_that_has_any():
    rows = [result("null", "a", "fp16", "static"), result("null", "a", "fp16", "dynamic"),
            result("null", "a", "int8", "dynamic"), result("null", "b", "fp16", "dynamic"),
            result("null", "b", "int8", "dynamic"), result("null", "b", "int8", "static")]  # fmt: skip
    paired = detection_pictures.pairs([*rows, replace(rows[0], accuracy=None)])
    assert [(first.cell.model, second.cell.shape) for first, second in paired] == [("a", "dynamic"), ("b", "dynamic")]


def scored(precision, **aps):
    row = result("null", "a", precision)
    classes = [OfClass(name=name, ap=ap, objects=0 if ap < 0 else 5) for name, ap in aps.items()]
    return replace(row, accuracy=structs.replace(row.accuracy, classes=classes))


def test_classes_are_listed_by_their_loss_without_those_of_no_objects():
    (lines,) = by_class.tables(
        [scored("fp16", cat=0.5, dog=0.5, cow=-1), scored("int8", cat=0.6, dog=0.3, cow=-1)]
    ).values()
    assert [(line.name, line.objects, round(line.change, 6)) for line in lines] == [("dog", 5, -20), ("cat", 5, 10)]
    assert by_class.tables([result("null", "a"), result("null", "a", "int8")]) == {}  # records from before
