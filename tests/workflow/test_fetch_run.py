"""A data set that is fetched: everything arrives, and what has arrived is not fetched or read again."""

import functools
import http.server
import json
import threading
import zipfile
from pathlib import Path

import cv2
import pytest

from helpers.snakemake_run import MINI, ROOT, prepare, run
from speedmap import storage

pytestmark = pytest.mark.workflow


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture
def server(tmp_path):
    """Serve a folder; returns its path and its URL."""
    folder = tmp_path / "served"
    folder.mkdir()
    handler = functools.partial(Quiet, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{listening.server_port}"
        listening.shutdown()


def sources(folder, url):
    """Put the sample's images and boxes up as COCO's are: two archives, and images one by one."""
    truth = json.loads((ROOT / "sample/instances.json").read_text())
    with zipfile.ZipFile(folder / "val.zip", "w") as archive:
        for image in truth["images"]:
            archive.write(ROOT / "sample/images" / image["file_name"], f"val/{image['file_name']}")
    train = {"images": [], "annotations": [], "categories": truth["categories"]}
    (folder / "train").mkdir()
    for number, path in enumerate(sorted((ROOT / "sample/calibration").iterdir())[:6]):
        height, width = cv2.imread(str(path)).shape[:2]
        (folder / "train" / path.name).write_bytes(path.read_bytes())
        train["images"].append({"id": number, "file_name": path.name, "height": height, "width": width})
        box = {"id": number, "image_id": number, "category_id": truth["categories"][0]["id"], "bbox": [1, 1, 9, 9]}
        train["annotations"].append({**box, "area": 81, "iscrowd": 0})
    with zipfile.ZipFile(folder / "boxes.zip", "w") as archive:
        archive.writestr("boxes/val.json", json.dumps(truth))
        archive.writestr("boxes/train.json", json.dumps(train))
    given = {name: {"url": f"{url}/{name}.zip", "sha256": storage.sha256(folder / f"{name}.zip")}
             for name in ("val", "boxes")}  # fmt: skip
    return {"images": {**given["val"], "member": "val/"}, "annotations": {**given["boxes"], "member": "boxes/val.json"},
            "calibration": {"url": f"{url}/train/", "member": "boxes/train.json", "count": 3}}  # fmt: skip


def test_a_fetched_data_set_is_read_once(tmp_path, server):
    data = {"name": "fetched", "images": "resources/set/val", "annotations": "resources/set/val.json",
            "calibration": "resources/set/calibration", "sources": sources(*server)}  # fmt: skip
    prepare(tmp_path, {"backend": "openvino", "torch": False, "models": {"a": MINI}, "dataset": data,
                       "int8": {"images": 2}})  # fmt: skip
    code, output = run(tmp_path, "--", "results/dataset.json")
    assert code == 0, output
    found = json.loads((tmp_path / "results/dataset.json").read_text())
    files = [Path(image["file"]) for image in found["images"] + found["calibration"]]
    assert all(path.is_relative_to("resources/set") for path in files)
    assert len(found["calibration"]) == 3
    assert "Nothing to be done" in run(tmp_path, "-n", "--", "results/dataset.json")[1]
