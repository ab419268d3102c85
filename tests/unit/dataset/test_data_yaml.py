import json

import pytest
import yaml

from speedmap.dataset import coco, data_yaml
from speedmap.dataset.data_yaml import DataYamlError
from speedmap.run import config as settings
from speedmap.run import yolo_data
from speedmap.run.settings import DataSet


@pytest.fixture
def folder(tmp_path):
    """A YOLO data set of empty files: two images to evaluate, ten to train on."""
    for split, count in (("val", 2), ("train", 10)):
        (tmp_path / "images" / split).mkdir(parents=True)
        for index in range(count):
            (tmp_path / "images" / split / f"{index}.jpg").touch()
    return tmp_path


def written(folder, name="data.yaml", **changes):
    content = {"train": "images/train", "val": "images/val", "names": ["a", "b"], **changes}
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(yaml.safe_dump({key: value for key, value in content.items() if value is not None}))
    return folder / name


@pytest.mark.parametrize("names", [["a", "b"], {0: "a", 1: "b"}, {1: "b", 0: "a"}, {"0": "a", "1": "b"}])
def test_names_are_a_list_or_a_mapping(folder, names):
    assert data_yaml.read(written(folder, names=names)).names == ("a", "b")


@pytest.mark.parametrize(
    ("file", "changes"),
    [
        ("data.yaml", {}),
        ("data.yaml", {"path": "images", "train": "train", "val": "val"}),
        ("data.yaml", {"val": ["images/val"]}),
        ("data.yaml", {"train": "../images/train", "val": "../images/val"}),  # as Roboflow writes them
        ("data/mine.yaml", {"path": "."}),  # as YOLOv5 has them beside its code
    ],
)
def test_folders_are_found_where_training_finds_them(folder, file, changes):
    data = data_yaml.read(written(folder, file, **changes))
    assert data_yaml.root(data).samefile(folder / "images/val")
    assert [image.name for image in data_yaml.images(data.val)] == ["0.jpg", "1.jpg"]
    assert len(data_yaml.images(data.train)) == 10


def test_a_path_may_be_absolute_or_start_where_one_stands(folder, tmp_path, monkeypatch):
    file = written(folder, "elsewhere/data.yaml", path=str(folder))
    assert data_yaml.read(file).val == (folder / "images/val",)
    monkeypatch.chdir(folder)
    deep = written(folder, "elsewhere/data.yaml").rename(_made(folder / "a/b/c") / "data.yaml")
    assert data_yaml.read(deep).val[0].samefile(folder / "images/val")


def _made(folder):
    folder.mkdir(parents=True)
    return folder


def test_a_list_names_images_from_its_own_folder(folder):
    (folder / "val.txt").write_text("./images/val/1.jpg\n\nimages/val/0.jpg\n")
    data = data_yaml.read(written(folder, val="val.txt"))
    assert data_yaml.images(data.val) == [folder / "images/val/0.jpg", folder / "images/val/1.jpg"]
    assert data_yaml.root(data) == folder / "images/val"


def test_images_lie_in_subfolders_and_behind_links_too(folder):
    (folder / "more").mkdir()
    (folder / "more/x.PNG").touch()
    (folder / "images/val/deep").mkdir()
    (folder / "images/val/deep/y.jpeg").touch()
    (folder / "images/val/.hidden.jpg").touch()
    (folder / "images/val/link").symlink_to(folder / "more")
    names = [image.name for image in data_yaml.images((folder / "images/val",))]
    assert names == ["0.jpg", "1.jpg", "y.jpeg", "x.PNG"]


@pytest.mark.parametrize(
    ("image", "label"),
    [
        ("d/images/val/1.jpg", "d/labels/val/1.txt"),
        ("images/d/images/1.tar.jpg", "images/d/labels/1.tar.txt"),
        ("d/pictures/1.png", "d/pictures/1.txt"),
    ],
)
def test_labels_lie_beside_the_images(tmp_path, image, label):
    assert data_yaml.label_of(tmp_path / image) == tmp_path / label


def test_calibration_images_are_spread_over_those_that_are_not_evaluated(folder):
    data = data_yaml.read(written(folder))
    assert [image.name for image in data_yaml.calibration(data, 5)] == ["0.jpg", "2.jpg", "4.jpg", "6.jpg", "8.jpg"]
    assert len(data_yaml.calibration(data, None)) == len(data_yaml.calibration(data, 99)) == 10
    same = data_yaml.read(written(folder, train="images/val"))
    assert data_yaml.calibration(same, 5) == []


def test_a_list_of_no_images_to_calibrate_on_is_refused(tmp_path):
    (tmp_path / "calibration.txt").write_text("")
    with pytest.raises(
        coco.DatasetError, match=r"calibration\.txt: lists no images .*dataset\.calibration needs a folder"
    ):
        coco.calibration_files(tmp_path / "calibration.txt")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"val": None}, "val and path are no names of folders"),
        ({"val": 5}, "val and path are no names of folders"),
        ({"path": ["a"]}, "train and path are no names of folders"),
        ({"val": "nowhere"}, r"val names nowhere, which is not there \(.*nowhere.*\); correct it, or path"),
        ({"train": "nowhere"}, "train names nowhere, which is not there"),
        ({"val": "images/val/0.jpg"}, r"val names .*, which is no folder and no list of images \(\.txt\)"),
        ({"names": None}, "names is no list of class names"),
        ({"names": []}, "names is no list of class names"),
        ({"names": "a"}, "names is no list of class names"),
        ({"names": [["a"]]}, "names is no list of class names"),
        ({"names": {0: "a", 2: "b"}}, "names are not numbered 0 to 1"),
        ({"names": {"a": 0, "b": 1}}, "names are not numbered 0 to 1"),
        ({"nc": 3}, "nc is not the number of names, 2"),
    ],
)
def test_a_description_that_cannot_be_used_is_named(folder, changes, message):
    with pytest.raises(DataYamlError, match=rf"data\.yaml: {message}") as caught:
        data_yaml.read(written(folder, **changes))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "an empty file"),
        (b"<!DOCTYPE html>", "an HTML page"),
        (b"- a\n", "no data.yaml, but a list"),
        (b"names: [", "no YAML in UTF-8"),
        (b"\xff\xfe\x00", "no YAML in UTF-8"),
        (b"[" * 10_000, "no YAML in UTF-8"),
        (b"#" * (data_yaml.LARGEST + 1), "too large for a data.yaml"),
    ],
)
def test_a_file_that_is_no_description_is_named(tmp_path, content, message):
    (tmp_path / "data.yaml").write_bytes(content)
    with pytest.raises(DataYamlError, match=message):
        data_yaml.read(tmp_path / "data.yaml")


def test_a_description_that_is_not_there(tmp_path):
    with pytest.raises(DataYamlError, match=r"no\.yaml: is not there; give dataset\.data the path"):
        data_yaml.read(tmp_path / "no.yaml")
    with pytest.raises(DataYamlError, match=r"is a folder; give dataset\.data the path"):
        data_yaml.read(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"), [(b"", "lists no images"), (b"\xff\xfe", "no list of images in UTF-8")]
)
def test_a_list_of_nothing(folder, content, message):
    (folder / "val.txt").write_bytes(content)
    with pytest.raises(DataYamlError, match=message):
        data_yaml.root(data_yaml.read(written(folder, val="val.txt")))


def test_a_config_gets_what_the_description_leads_to(folder, monkeypatch):
    monkeypatch.chdir(folder)
    written(folder)
    found = yolo_data.completed(DataSet(data="data.yaml"), None)
    made = {"annotations": "results/labels/instances.json", "calibration": "results/labels/calibration.txt"}
    assert found == DataSet(data="data.yaml", name=folder.name, images="images/val", **made)
    own = yolo_data.completed(DataSet(data="data.yaml", name="mine", calibration="others"), None)
    assert (own.name, own.calibration) == ("mine", "others")


def test_results_stay_usable_when_the_description_is_gone(folder, monkeypatch):
    monkeypatch.chdir(folder)
    written(folder)
    dataset = {"data": "data.yaml"}
    config = {key: [] for key in ("precisions", "shapes", "batches", "skip")} | {"dataset": dataset, "imgsz": 640}
    config |= {"torch": True, "models": {"a": {"weights": "random"}}, "int8": {}}
    recorded = settings.read(config, []).asked
    (folder / "data.yaml").unlink()
    assert yolo_data.completed(DataSet(data="data.yaml"), recorded).paths["images"] == recorded.images == "images/val"
    (folder / "results").mkdir()
    (folder / "results/dataset.json").write_text(json.dumps({"asked": vars(recorded)}))
    assert settings.read(config, []).asked == recorded  # refuses what is not there, unless it is what was read
    with pytest.raises(DataYamlError, match=r"other\.yaml: is not there"):
        yolo_data.completed(DataSet(data="other.yaml"), recorded)


@pytest.mark.parametrize(
    ("key", "value"), [("images", "x"), ("annotations", "x"), ("sources", {"images": {"url": "https://h/a.zip"}})]
)
def test_a_data_set_is_named_in_one_way(key, value):
    config = {key: [] for key in ("precisions", "shapes", "batches", "skip")} | {
        "imgsz": 640,
        "torch": True,
        "int8": {},
    }
    config |= {"models": {}, "dataset": {"data": "data.yaml", key: value}}
    with pytest.raises(settings.ConfigError, match=f"data and {key} both say where"):
        settings.read(config, [])
