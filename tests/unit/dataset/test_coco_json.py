"""What real annotation files hold: read where it is sound, named as what it is where not."""

import copy
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from pycocotools import mask

from helpers.data_set import asked
from speedmap.dataset import coco, coco_json
from speedmap.dataset.coco_json import DatasetError

SCRIPTS = Path(__file__).parents[3] / "workflow/scripts"


def boxes(count=4, image=1):
    common = {"image_id": image, "category_id": 1, "area": 300, "iscrowd": 0}
    return [{"id": number, "bbox": [8 + number, 6, 20, 15], **common} for number in range(1, count + 1)]


@pytest.fixture
def folder(tmp_path):
    """Two images of 64 x 48 to evaluate on, two others to calibrate on."""
    random = np.random.default_rng(0)
    for name in ("images/a.png", "images/b.png", "calibration/c.png", "calibration/d.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / name), random.integers(0, 255, (48, 64, 3), np.uint8))
    return tmp_path


def truth(**more):
    images = [{"id": 1, "file_name": "a.png", "width": 64, "height": 48}, {"id": 2, "file_name": "b.png"}]
    return {
        "images": images,
        "annotations": boxes(),
        "categories": [{"id": 1, "name": "k1"}, {"id": 2, "name": "k2"}],
        **more,
    }


def inventory(folder, content):
    (folder / "truth.json").write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return coco.inventory(asked(folder), None)


def changed(change):
    content = truth()
    change(content)
    return content


def setting(kind, index, **values):
    return lambda content: content[kind][index].update(values)


def dropping(kind, key):
    return lambda content: [entry.pop(key, None) for entry in content[kind]]


def all_boxes(*values):
    return lambda content: [
        one.update(bbox=list(box), area=1) for one, box in zip(content["annotations"], values, strict=True)
    ]


def named_by_text(content):
    for category, name in zip(content["categories"], ("cat", "dog"), strict=True):
        category["id"] = name


WRONG = {
    "size of -1": (setting("images", 1, width=-1, height=-1), "image 2 has the size -1x-1 .*leave both out"),
    "size of 0": (setting("images", 1, width=0, height=0), "image 2 has the size 0x0"),
    "size of null": (setting("images", 1, width=None, height=None), "image 2 has the size NonexNone"),
    "size in texts": (setting("images", 1, width="64", height="48"), "image 2 has the size 64x48 in texts"),
    "no file_name": (setting("images", 1, file_name=None), "image 2 has the file_name None"),
    "image_id in text": (setting("annotations", 0, image_id="1"), "annotation 1 has as image_id the text '1', where "
                         "the image has the number 1; write both alike"),
    "category_id in text": (setting("annotations", 0, category_id="1"), "has as category_id the text '1'"),
    "category_id of null": (setting("annotations", 0, category_id=None), "annotation 1 has the category_id None"),
    "no image_id": (dropping("annotations", "image_id"), "annotation 1 has no image_id; add it"),
    "ids of both kinds": (setting("images", 1, id="2"), "image ids are both numbers and texts"),
    "id of null": (setting("images", 1, id=None), "image id None is no whole number"),
    "no id": (dropping("categories", "id"), "category id None is no whole number"),
    "name of null": (setting("categories", 0, name=None), "category 1 has the name None"),
    "ids without order": (named_by_text, "category id 'cat' is a text, which gives classes no order"),
    "no box": (dropping("annotations", "bbox"), r"annotation 1 \(of image 1\) has no bbox, and no segmentation"),
    "no width": (setting("annotations", 0, bbox=[5, 5, 0, 9]), "of no width, which nothing can match"),
    "no height": (setting("annotations", 0, bbox=[5, 5, 9, 0]), "of no height, which nothing can match"),
    "fractions": (all_boxes(*[(0.1 * n, 0.2, 0.3, 0.4) for n in range(1, 5)]), "these are fractions of the image"),
    "corners": (all_boxes((10, 8, 60, 40), (12, 9, 50, 44), (5, 3, 64, 48), (30, 20, 40, 40)),
                "as corners x1, y1, x2, y2 do"),
    "corners by area": (lambda content: [one.update(bbox=[10, 8, 40, 32], area=720) for one in content["annotations"]],
                        "the areas are those of corners"),
    "centres": (all_boxes((32, 24, 60, 40), (12, 9, 20, 10), (50, 30, 24, 20), (8, 40, 10, 12)),
                "as centre x, centre y"),
    "of larger images": (all_boxes((90, 8, 6, 4), (12, 90, 5, 4), (100, 3, 6, 4), (0, 20, 40, 20)),
                         "3 of 4 boxes reach beyond"),
    "no categories": (lambda content: content.pop("categories"), "it has no `categories`, only images, annotations"),
    "objects by name": (lambda content: content.update(images={"a": 1}), "its `images` are no list of objects"),
    "backslashes": (setting("images", 0, file_name="sub\\\\a.png"), "not there, where names have / between folders"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_named_with_its_true_cause(folder, what):
    change, message = WRONG[what]
    with pytest.raises(DatasetError, match=message):
        inventory(folder, changed(change))


OTHER = {
    "data.yaml": ("names: [a, b]\nnc: 2\n", "a YAML file, such as YOLO's data.yaml"),
    "a.txt": ("0 0.5 0.5 0.2 0.1\n1 0.2 0.3 0.1 0.1\n", "a YOLO label file"),
    "val.txt": ("images/a.jpg\nimages/b.jpg\n", "a list of images"),
    "a.xml": ("<annotation><size/></annotation>", "XML, such as Pascal VOC's"),
    "pointer.json": ("version https://git-lfs.github.com/spec/v1\n", "git-lfs pointer"),
    "page.json": ("<!DOCTYPE html><html>", "an HTML page"),
    "empty.json": ("", "an empty file"),
    "list.json": ("[1, 2]", "it is a list, not an object"),
    "results.json": ('[{"image_id": 1, "score": 0.5}]', "COCO results, which are detections"),
    "via.json": ('{"_via_settings": {}}', "it has no `images`, only _via_settings"),
}


@pytest.mark.parametrize("name", OTHER)
def test_another_file_is_named_as_what_it_is(tmp_path, name):
    text, message = OTHER[name]
    (tmp_path / name).write_text(text)
    with pytest.raises(DatasetError, match=message):
        coco_json.parse(tmp_path / name)


def test_a_folder_is_named_as_one(tmp_path):
    with pytest.raises(DatasetError, match="is a folder; give COCO instances JSON"):
        coco_json.parse(tmp_path)


def test_text_ids_that_are_numbers_are_in_the_order_of_numbers(folder):
    categories = [{"id": str(number), "name": f"k{number}"} for number in range(12)]
    images = [{"id": str(number), "file_name": name} for number, name in ((10, "a.png"), (9, "b.png"))]
    content = {
        "images": images,
        "categories": categories,
        "annotations": [{**boxes(1)[0], "image_id": "9", "category_id": "2"}],
    }
    listed = inventory(folder, content)
    assert [category.name for category in listed.categories] == [f"k{number}" for number in range(12)]
    assert [image.id for image in listed.images] == ["9", "10"]


def test_keys_that_follow_from_others_are_derived_and_said(folder):
    polygon = [[10, 10, 30, 10, 30, 25, 10, 25]]
    packed = mask.encode(np.asfortranarray(np.pad(np.ones((15, 20), np.uint8), ((10, 23), (10, 34)))))
    shapes = (polygon, {"size": packed["size"], "counts": packed["counts"].decode()})
    nameless = [{"image_id": 1, "category_id": 1, "segmentation": shape} for shape in shapes]
    content = truth(annotations=nameless)
    (folder / "truth.json").write_text(json.dumps(content))
    parsed = coco_json.parse(folder / "truth.json")
    assert [one.bbox for one in parsed.annotations] == [[10, 10, 20, 15], [10, 10, 20, 15]]
    assert [(one.area, one.iscrowd, one.id) for one in parsed.annotations] == [(300, 0, 1), (300, 0, 2)]
    assert inventory(folder, content).derived == [
        "bbox from the segmentation (of 2 annotations)",
        "area from width and height (of 2 annotations)",
        "iscrowd 0 (of 2 annotations)",
    ]


def grouped(**first):
    group = {"id": 0, "name": "things", "supercategory": "none", **first}
    return truth(categories=[group, *({"id": n, "name": f"k{n}", "supercategory": "things"} for n in (1, 2))])


def test_the_group_of_all_others_is_left_out_and_said(folder):
    listed = inventory(folder, grouped())
    assert [category.name for category in listed.categories] == ["k1", "k2"]
    assert listed.derived == ["category 0 'things' left out: it groups the others, and has no boxes"]


def test_a_group_with_boxes_or_of_some_only_is_a_class(folder):
    with_box = grouped()
    with_box["annotations"][0]["category_id"] = 0
    of_some = grouped()
    of_some["categories"][1]["supercategory"] = "others"
    for content in (with_box, of_some):
        assert len(inventory(folder, content).categories) == 3


def test_sound_boxes_of_every_kind_are_taken(folder):
    full = truth(annotations=[{**one, "bbox": [0, 0, 64, 48], "area": 64 * 48} for one in boxes()])
    edge = truth(annotations=[{**one, "bbox": [43.5, 33.5, 22, 16]} for one in boxes()])  # a pixel and a half beyond
    for content in (full, edge, truth(annotations=boxes(1))):
        assert inventory(folder, content).boxes == len(content["annotations"])


def test_hidden_files_are_no_calibration_images(folder):
    (folder / "calibration/._c.png").write_bytes(b"\0\5\x16\7")
    assert len(inventory(folder, truth()).calibration) == 2


def test_json_may_have_a_byte_order_mark_or_be_of_two_bytes_a_letter(folder):
    for coding in ("utf-8-sig", "utf-16"):
        (folder / "truth.json").write_bytes(json.dumps(truth(), ensure_ascii=False).encode(coding))
        assert len(coco_json.parse(folder / "truth.json").images) == 2


@pytest.mark.skipif(not shutil.which("localedef"), reason="makes a locale of its own")
def test_names_are_utf_8_whatever_the_locale(folder):
    locale = folder / "en_US.ISO-8859-1"
    subprocess.run(["localedef", "-i", "en_US", "-f", "ISO-8859-1", locale], check=False, capture_output=True)
    if not locale.is_dir():
        pytest.skip("no sources of locales")
    (folder / "images/a.png").rename(folder / "images/straße.png")
    content = changed(setting("images", 0, file_name="straße.png"))
    content["categories"][0]["name"] = "Fußgänger"
    (folder / "truth.json").write_text(json.dumps(content, ensure_ascii=False), "utf-8")
    code = f"""
from pathlib import Path; from speedmap.dataset import coco, images; from speedmap.results.asked import Asked
record = coco.inventory({asked(folder)!r}, None)
print(ascii(record.categories[0].name), images.read(Path(record.images[0].file)).shape)"""
    env = {**os.environ, "LC_ALL": "en_US.ISO-8859-1", "LOCPATH": str(folder), "PYTHONPATH": str(SCRIPTS)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    assert done.stdout == "'Fu\\xdfg\\xe4nger' (48, 64, 3)\n", done.stderr


def test_the_file_is_not_changed_by_what_is_derived(folder):
    content = truth(
        annotations=[{key: one[key] for key in ("id", "image_id", "category_id", "bbox")} for one in boxes()]
    )
    before = copy.deepcopy(content)
    inventory(folder, content)
    assert json.loads((folder / "truth.json").read_text()) == before
