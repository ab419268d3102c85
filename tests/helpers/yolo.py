"""COCO data sets as YOLO has them: images and labels side by side, and a data.yaml."""

import json

import yaml


def write(folder, instances, images, train, names=None, **content):
    """Link the images of COCO instances and those to train on below a folder, beside labels; returns its data.yaml."""
    truth = json.loads(instances.read_text())
    numbers = {
        category["id"]: number for number, category in enumerate(sorted(truth["categories"], key=lambda c: c["id"]))
    }
    for split, files in (("val", [images / image["file_name"] for image in truth["images"]]), ("train", train)):
        (folder / "images" / split).mkdir(parents=True)
        (folder / "labels" / split).mkdir(parents=True)
        for file in files:
            (folder / "images" / split / file.name).symlink_to(file.absolute())
    for image in truth["images"]:
        lines = [_line(one, image, numbers) for one in truth["annotations"] if one["image_id"] == image["id"]]
        label = (folder / "labels/val" / image["file_name"]).with_suffix(".txt")
        label.write_text("".join(lines)) if lines else None
    known = [category["name"] for category in sorted(truth["categories"], key=lambda c: c["id"])]
    described = {"train": "images/train", "val": "images/val", "names": names or known, **content}
    (folder / "data.yaml").write_text(yaml.safe_dump(described))
    return folder / "data.yaml"


def _line(annotation, image, numbers):
    x, y, width, height = annotation["bbox"]
    box = ((x + width / 2) / image["width"], (y + height / 2) / image["height"], width / image["width"],
           height / image["height"])  # fmt: skip
    return " ".join(map(repr, (numbers[annotation["category_id"]], *box))) + "\n"
