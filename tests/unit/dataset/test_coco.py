import json
import os
import shutil
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from helpers.data_set import asked
from speedmap.accuracy import bootstrap, evaluate
from speedmap.dataset import coco, coco_json
from speedmap.dataset.coco import DatasetError
from speedmap.dataset.images import ImageError

SCRIPTS = str(Path(__file__).parents[3] / "workflow/scripts")


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


def inventory(dataset, limit=None, wanted=None):
    folder, truth = dataset
    (folder / "truth.json").write_text(json.dumps(truth))
    return coco.inventory(asked(folder, limit=limit, imgsz=640), wanted)


def test_an_inventory_says_what_is_there(dataset):
    record = inventory(dataset)
    assert record.shapes == {"480x640": 2}
    assert record.boxes == 2
    assert [category.name for category in record.categories] == ["bar", "disc"]
    assert len({image.sha256 for image in record.images + record.calibration}) == 4


def test_limit_takes_the_first_images_by_id(dataset):
    dataset[1]["images"].reverse()
    assert [image.id for image in inventory(dataset, limit=1).images] == [0]


def test_crowds_are_no_boxes_to_find(dataset):
    dataset[1]["annotations"][0]["iscrowd"] = 1
    assert inventory(dataset).boxes == 1


def test_a_hash_follows_the_content(dataset):
    first = inventory(dataset).sha256
    dataset[1]["annotations"][0]["bbox"][0] = 5
    assert inventory(dataset).sha256 != first


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


def spoil_overlap_of_pixels(folder, truth):
    cv2.imwrite(str(folder / "calibration/other.bmp"), cv2.imread(str(folder / "images/1.png")))


def spoil_categories(folder, truth):
    truth["categories"][1]["id"] = 9


def spoil_annotation_ids(folder, truth):
    truth["annotations"][1]["id"] = 1


def spoil_category(folder, truth):
    truth["annotations"][1]["category_id"] = 7


def spoil_image(folder, truth):
    truth["annotations"][1]["image_id"] = 7


def spoil_place(folder, truth):
    truth["annotations"][1]["bbox"] = [70, 4, 20, 20]


def spoil_number(folder, truth):
    truth["annotations"][1]["bbox"][2] = float("nan")


def spoil_side(folder, truth):
    truth["annotations"][1]["bbox"][2] = -5


def spoil_box(folder, truth):
    truth["annotations"][1]["bbox"] = [1, 2, 3]


def spoil_crowd(folder, truth):
    truth["annotations"][1]["iscrowd"] = "no"


def spoil_crowds(folder, truth):
    for box in truth["annotations"]:
        box["iscrowd"] = 1


def spoil_area(folder, truth):
    truth["annotations"][1]["area"] = "large"


def spoil_text(folder, truth):
    truth["annotations"][1]["bbox"] = list("abcd")


def spoil_png_bomb(folder, truth):
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    (folder / "images/1.png").write_bytes(b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk
                                          + struct.pack(">I", zlib.crc32(chunk)))  # fmt: skip


def spoil_real_bomb(folder, truth):
    """A megabyte that would unpack to 400."""
    packer = zlib.compressobj(1)
    rows = b"".join(packer.compress(bytes(20_001)) for _ in range(20_000)) + packer.flush()
    parts = [(b"IHDR", struct.pack(">IIBBBBB", 20_000, 20_000, 8, 0, 0, 0, 0)), (b"IDAT", rows), (b"IEND", b"")]
    (folder / "images/1.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    ))  # fmt: skip


def spoil_calibration(folder, truth):
    shutil.rmtree(folder / "calibration")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (spoil_json, r"truth\.json: no COCO instances JSON"),
        (spoil_boxes, r"truth\.json: no boxes in it; its `annotations` are empty"),
        (spoil_crowds, r"truth\.json: no boxes but crowds"),
        (spoil_ids, "image id 0 occurs twice"),
        (spoil_name, r"lies outside dataset\.images"),
        (spoil_size, r"0\.png: is 64x48 but .* says 48x64 \(width x height\)"),
        (spoil_missing, r"1\.png: named in .* but not there"),
        (spoil_overlap, r"other-name\.png: calibration image equals an evaluation image"),
        (spoil_overlap_of_pixels, r"other\.bmp: calibration image equals an evaluation image \(.*1\.png"),
        (spoil_calibration, "calibration: no images in it"),
        (spoil_categories, "category id 9 occurs twice"),
        (spoil_annotation_ids, "annotation id 1 occurs twice"),
        (spoil_category, "annotation 2 is of category 7, which is not listed"),
        (spoil_image, "annotation 2 is of image 7, which is not listed"),
        (spoil_place, r"annotation 2 has the box .* outside of its image"),
        (spoil_number, r"annotation 2 has the box .*nan"),
        (spoil_side, r"annotation 2 has the box .*-5"),
        (spoil_box, r"annotation 2 has the box \[1, 2, 3\]; give x, y, width and height"),
        (spoil_crowd, "annotation 2 has the area 400 and iscrowd 'no'"),
        (spoil_area, "annotation 2 has the area large"),
        (spoil_text, r"annotation 2 has the box \['a', 'b', 'c', 'd'\]"),
    ],
)
def test_a_bad_data_set_is_refused_by_name(dataset, spoil, message):
    spoil(*dataset)
    with pytest.raises(DatasetError, match=message):
        inventory(dataset)


def test_images_may_be_links_to_elsewhere(dataset):
    image = dataset[0] / "images/0.png"
    shutil.move(image, dataset[0] / "elsewhere.png")
    image.symlink_to(dataset[0] / "elsewhere.png")
    assert len(inventory(dataset).images) == 2


def test_a_jpeg_that_ends_too_early_is_refused(dataset):
    folder, truth = dataset
    truth["images"][0]["file_name"] = "0.jpg"
    whole = cv2.imencode(".jpg", cv2.imread(str(folder / "images/0.png")))[1].tobytes()
    (folder / "images/0.jpg").write_bytes(whole + b"\0 trailing bytes")
    inventory(dataset)
    (folder / "images/0.jpg").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DatasetError, match=r"0\.jpg: a JPEG that ends too early"):
        inventory(dataset)
    (folder / "images/0.jpg").write_bytes(whole[:-2])  # all of the picture is there
    inventory(dataset)


@pytest.mark.parametrize("spoil", [spoil_png_bomb, spoil_real_bomb])
def test_an_image_bomb_is_refused_before_it_is_decoded(dataset, spoil):
    spoil(*dataset)
    # In a process of its own, since OpenCV takes the limit on being loaded, which pytest may have done already.
    code = """
import re, sys
from pathlib import Path
from speedmap.dataset import images
try:
    images.read(Path(sys.argv[1]))
except images.ImageError as error:
    print(error, re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1], sep="\\n")
"""
    command = [sys.executable, "-c", code, dataset[0] / "images/1.png"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": SCRIPTS}
    )
    said, kibibytes = done.stdout.splitlines()
    assert "1.png: no readable image, or one of more than 67 megapixels" in said
    assert int(kibibytes) < 200 * 1024


def test_annotations_of_absurd_size_are_not_read(dataset):
    path = dataset[0] / "truth.json"
    with path.open("wb") as file:
        file.truncate(10**12)  # a sparse file
    with pytest.raises(DatasetError, match=r"truth\.json: has 1000\.0 GB"):
        coco.parse(path)


def test_what_is_no_file_is_not_read(dataset):
    with pytest.raises(DatasetError, match="no such file"):
        coco.parse(Path("/dev/zero"))


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
    assert evaluate.judge(folder / "truth.json", found, [0, 1]).metrics.map == pytest.approx(1)
    assert evaluate.judge(folder / "truth.json", found[:1], [0, 1]).metrics.map == pytest.approx(0.5, abs=0.01)
    assert evaluate.judge(folder / "truth.json", [], [0, 1]).metrics.map == 0


def test_annotations_may_be_numbered_from_zero(dataset):
    folder, truth = dataset
    for number, box in enumerate(truth["annotations"]):
        box["id"] = number
    inventory(dataset)
    found = [{**{key: box[key] for key in ("image_id", "category_id", "bbox")}, "score": 0.9}
             for box in truth["annotations"]]  # fmt: skip
    done = evaluate.evaluation(coco_json.parse(folder / "truth.json"), found, [0, 1])
    assert evaluate.metrics(done)["map"] == pytest.approx(1)
    assert bootstrap.weighted(done, np.ones((1, 2), int))["map"] == pytest.approx(1)


def test_fewer_calibration_images_than_asked_for(dataset):
    with pytest.raises(
        DatasetError, match=r"int8\.images asks for 3 calibration images, but there are 2 in .*calibration"
    ):
        inventory(dataset, wanted=3)
    assert len(inventory(dataset, wanted=2).calibration) == 2


def test_calibration_images_that_are_all_alike(dataset):
    image = cv2.imread(str(dataset[0] / "calibration/0.png"))
    cv2.imwrite(str(dataset[0] / "calibration/1.png"), image, [cv2.IMWRITE_PNG_COMPRESSION, 9])
    with pytest.raises(DatasetError, match=r"the 2 calibration images are all alike.*dataset\.calibration"):
        inventory(dataset)
    assert inventory(dataset, wanted=0)
    assert inventory(dataset, wanted=1)


def test_calibration_images_of_one_colour(dataset):
    for index in range(2):
        cv2.imwrite(str(dataset[0] / f"calibration/{index}.png"), np.full((48, 64, 3), 40 * index, np.uint8))
    with pytest.raises(DatasetError, match=r"of one colour.*dataset\.calibration"):
        inventory(dataset)
