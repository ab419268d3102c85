import re
import shutil
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from speedmap.results import records
from speedmap.results.asked import Asked
from speedmap.results.inventory import Dataset
from speedmap.run import config as settings
from speedmap.run.config import ConfigError

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def fresh(tmp_path, monkeypatch):
    """Work where no data set has been read yet."""
    monkeypatch.chdir(tmp_path)


def config(tmp_path, **more):
    weights = tmp_path / "a.pt"
    weights.touch()
    (tmp_path / "images").mkdir(exist_ok=True)
    (tmp_path / "images/1.jpg").touch()
    paths = dict.fromkeys(("images", "annotations", "calibration"), str(tmp_path / "images"))
    data = {"name": "d", **paths, **more.pop("data", {})}
    return {"models": {"a": {"weights": str(weights)}, "b": {"weights": "random"}}, "precisions": ["fp16", "int8"],
            "shapes": ["static"], "skip": [], "imgsz": 640, "torch": True, "dataset": data,
            "batches": [1], "int8": {"images": None, "target": 0, "method": "explicit"}, **more}  # fmt: skip


def test_cells_are_the_product_without_those_to_skip(tmp_path):
    chosen = config(tmp_path, skip=["b-int8-static"])
    read = settings.read(chosen, [])
    assert read.cells == ["a-fp16-static", "a-int8-static", "b-fp16-static"]
    assert read.with_accuracy == ["a-fp16-static", "a-int8-static"]


def test_a_cell_to_skip_that_does_not_exist(tmp_path):
    with pytest.raises(ConfigError, match=r"skip: 'a-int8-statik' is no cell .*; did you mean 'a-int8-static'?"):
        settings.read(config(tmp_path, skip=["a-int8-statik"]), [])
    with pytest.raises(ConfigError, match="skip: 'x' is no cell of the matrix; a name is like a-fp16-static"):
        settings.read(config(tmp_path, skip=["x"]), [])


def test_a_model_named_twice(tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text("models:\n  a: {weights: x}\n  a: {weights: y}\n")
    with pytest.raises(ConfigError, match=r"config\.yaml: line 3: 'a' is named twice; rename"):
        settings.read(config(tmp_path), [str(file)])


def test_weights_that_are_not_there(tmp_path):
    chosen = config(tmp_path, models={"a": {"weights": "nowhere.pt"}})
    with pytest.raises(ConfigError, match=r"models\.a\.weights: nowhere\.pt is not there"):
        settings.read(chosen, [])


def test_a_mistake_names_the_file_that_has_it(tmp_path):
    (tmp_path / "other.yaml").write_text("imgsz: 320\n")
    (tmp_path / "mine.yaml").write_text("imgsz: 320\nmodels: {yolov5s-v6.0: {weights: nowhere.pt}}\n")
    chosen = config(tmp_path, models={"yolov5s-v6.0": {"weights": "nowhere.pt"}})
    with pytest.raises(
        ConfigError, match=r"^mine\.yaml: line 2: models\.yolov5s-v6\.0\.weights: nowhere\.pt is not there"
    ):
        settings.read(chosen, [str(tmp_path / "other.yaml"), str(tmp_path / "mine.yaml")])


def test_a_data_yaml_that_is_not_there(tmp_path):
    (tmp_path / "mine.yaml").write_text("dataset:\n  data: nowhere.yaml\n")
    with pytest.raises(
        ConfigError, match=r"^mine\.yaml: line 2: dataset\.data: nowhere\.yaml is not there, seen from "
    ):
        settings.read({**config(tmp_path), "dataset": {"data": "nowhere.yaml"}}, [str(tmp_path / "mine.yaml")])


@pytest.mark.parametrize("key", ["images", "annotations", "calibration"])
def test_a_data_set_that_is_not_there(tmp_path, key):
    with pytest.raises(ConfigError, match=rf"dataset\.{key}: nowhere is not there, seen from /.*; correct the path"):
        settings.read(config(tmp_path, data={key: "nowhere"}), [])


def recorded(tmp_path, **other):
    """Write an inventory of the config's data set, or of one that differs in some of it."""
    data = config(tmp_path)["dataset"]
    asked = Asked(**{"name": "d", "limit": None, "imgsz": 640, **data, **other})
    facts = {"annotations": asked.annotations, "sha256": "0" * 64, "categories": [], "boxes": 1, "shapes": {}}
    inventory = Dataset(name=asked.name, images=[], calibration=[], asked=asked, **facts)
    records.write(tmp_path / "results/dataset.json", inventory)


def gone(tmp_path):
    shutil.rmtree(tmp_path / "images")


def test_results_stay_usable_when_the_data_set_is_gone(tmp_path):
    recorded(tmp_path)
    chosen = config(tmp_path)
    gone(tmp_path)
    settings.read(chosen, [])


@pytest.mark.parametrize(
    "other",
    [
        {"name": "new"},
        {"images": "other"},
        {"annotations": "other"},
        {"calibration": "other"},
        {"limit": 5},
        {"imgsz": 320},
    ],
)
def test_results_of_another_data_set_do_not_stand_in_for_one_that_is_not_there(tmp_path, other):
    recorded(tmp_path, **other)
    chosen = config(tmp_path)
    gone(tmp_path)
    with pytest.raises(
        ConfigError, match=r"dataset\.images: .*images is not there; .*results/dataset\.json is of another"
    ):
        settings.read(chosen, [])


def test_an_inventory_that_cannot_be_read_stands_for_nothing(tmp_path):
    recorded(tmp_path)
    (tmp_path / "results/dataset.json").write_text("{}")
    chosen = config(tmp_path)
    gone(tmp_path)
    with pytest.raises(ConfigError, match=r"dataset\.images"):
        settings.read(chosen, [])


@pytest.mark.parametrize(
    "path", ["/home/me/My Projects/.venv/bin/python", "/o'clock/python", "/a&b/python", "/[x]/python"]
)
def test_a_python_that_snakemake_cannot_start_is_refused(path):
    with pytest.raises(ConfigError, match="Snakemake starts no Python whose path has"):
        settings.check_executable(path)


@pytest.mark.parametrize("path", ["/usr/bin/python3.11", "/home/Jürgen/Übung_1/.venv/bin/python", "/a@b+c=d/python"])
def test_other_pythons_are_taken(path):
    settings.check_executable(path)


def test_what_is_to_be_fetched_need_not_be_there(tmp_path):
    coco = yaml.safe_load((ROOT / "config/coco.yaml").read_text())
    settings.read(config(tmp_path, data=coco["dataset"], int8={"images": 128, "target": 0}), [])


@pytest.mark.parametrize("target", [float("nan"), float("inf")])
def test_a_target_that_is_no_number(tmp_path, target):
    with pytest.raises(ConfigError, match=r"int8\.target: .* is no error"):
        settings.read(config(tmp_path, int8={"target": target}), [])


def test_a_model_named_by_a_number(tmp_path):
    with pytest.raises(ConfigError, match="models: 5 is no text; put the name in quotes"):
        settings.read(config(tmp_path, models={5: {"weights": "random"}}), [])


def test_downloads_lie_under_resources(tmp_path):
    chosen = config(tmp_path, models={"a": {"weights": "elsewhere/a.pt", "url": "https://example.org/a.pt"}})
    with pytest.raises(ConfigError, match="must lie under resources/"):
        settings.read(chosen, [])


@pytest.mark.parametrize("section", ["int8", "speed"])
def test_an_overlay_of_another_data_set_has_none_of_the_samples_settings(section):
    default = yaml.safe_load((ROOT / "config.yaml").read_text())
    assert default[section]  # else this would show nothing
    for file in (*ROOT.glob("config/*.yaml"), *ROOT.glob("tests/configs/*.yaml")):
        given = yaml.safe_load(file.read_text())
        merged = default | settings.replacing(given)
        expected = given.get(section, {} if "dataset" in given else default[section])
        assert merged[section] == expected
        assert merged["models"] == given.get("models", default["models"])


def test_an_overlay_without_a_data_set_leaves_the_int8_settings():
    assert settings.replacing({"imgsz": 320, "models": {"m": {}}}) == {"models": {"m": {}}}


def test_batches_have_cells_of_static_input_without_a_map(tmp_path):
    chosen = config(tmp_path, batches=[1, 8], shapes=["dynamic", "static"], precisions=["int8"])
    read = settings.read(chosen, [])
    assert read.cells[:3] == ["a-int8-dynamic", "a-int8-static", "a-int8-static-b8"]
    assert read.with_accuracy == ["a-int8-dynamic", "a-int8-static"]
    of_torch = [cell.name for cell in read.planned("openvino") if cell.backend == "torch"]
    assert of_torch[:4] == ["a-fp16-dynamic", "a-fp32-dynamic", "a-fp16-static", "a-fp16-static-b8"]


def test_a_config_without_batches_times_nothing_more_and_says_nothing_of_them(tmp_path):
    read = settings.read(config(tmp_path, accuracy={}, speed={}), [])
    assert read.torch_inputs == []
    assert "batches" not in read.experiment


def test_batches_without_the_single_image_have_no_cells_of_it(tmp_path):
    chosen = config(tmp_path, batches=[4])
    read = settings.read(chosen, [])
    assert read.cells[:2] == ["a-fp16-static-b4", "a-int8-static-b4"]
    assert read.with_accuracy == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"shapes": ["dynamic"]}, "batches: 8 images at a time need static input"),
        ({"int8": {"method": "implicit", "target": 0}}, "batches: implicit INT8 is calibrated one image at a time"),
    ],
)
def test_a_batch_that_no_cell_could_have(tmp_path, changes, message):
    with pytest.raises(settings.ConfigError, match=message):
        settings.read(config(tmp_path, batches=[1, 8], **changes), [])


def test_a_batch_can_be_skipped(tmp_path):
    chosen = config(tmp_path, batches=[1, 8], skip=["a-int8-static-b8"])
    read = settings.read(chosen, [])
    assert "a-int8-static-b8" not in read.cells
    assert "a-int8-static" in read.cells


BATCHES = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text("utf-8"))["properties"]["batches"]


@pytest.mark.parametrize(
    ("batches", "sound"), [([1], True), ([32, 8], True), ([0], False), ([-1], False), ([8, 8], False), ([], False),
                           ([1.5], False), (["8"], False), (8, False)]
)  # fmt: skip
def test_batches_are_natural_numbers_each_once(batches, sound):
    assert Draft202012Validator(BATCHES).is_valid(batches) == sound


@pytest.mark.parametrize(("given", "meant"), [(["1", "8"], [1, 8]), (["-1"], ["-1"]), ([1, 8], [1, 8])])
def test_batches_of_the_command_line_are_numbers(given, meant):
    assert settings.numbers({"batches": given}) == {"batches": meant}
    assert settings.numbers({}) == {}


def test_an_onnx_file_stands_for_weights_and_has_no_columns_of_torch(tmp_path):
    file = tmp_path / "best.onnx"
    file.touch()
    chosen = config(tmp_path, models={"mine": {"onnx": str(file)}, "b": {"weights": "random"}})
    chosen |= {"accuracy": {}, "speed": {}}
    read = settings.read(chosen, [])
    assert read.models["mine"].weights == str(file)
    assert read.torch_models == ["b"]
    assert {cell.model for cell in read.planned("openvino") if cell.backend == "torch"} == {"b"}
    del chosen["models"]["b"]
    assert settings.read(chosen, []).experiment["torch"] is False


def test_an_onnx_file_that_is_not_there_or_not_alone(tmp_path):
    chosen = config(tmp_path, models={"mine": {"onnx": "no.onnx"}})
    with pytest.raises(ConfigError, match=r"models\.mine\.onnx: no\.onnx is not there"):
        settings.read(chosen, [])
    with pytest.raises(ConfigError, match=r"models\.mine: onnx and weights both say what to measure"):
        settings.read(config(tmp_path, models={"mine": {"onnx": "a.onnx", "weights": "a.pt"}}), [])


def test_an_engine_from_elsewhere_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError, match=r"foreign\.theirs\.engine: no\.xml is not there"):
        settings.read(config(tmp_path, foreign={"theirs": {"engine": "no.xml"}}), [])


def test_on_a_cluster_what_is_timed_has_its_node_to_itself():
    given = yaml.safe_load((ROOT / "profiles/slurm/profile.yaml").read_text())["set-resources"]
    rules = re.findall(r"^rule (\w+):", (ROOT / "workflow/rules/measure.smk").read_text(), re.MULTILINE)
    alone = {rule for rule, resources in given.items() if "--exclusive" in resources.get("slurm_extra", "")}
    assert alone == {*rules} - {"measure_accuracy"}  # which times nothing
