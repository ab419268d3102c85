from pathlib import Path

import pytest
import yaml

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
    data = {**dict.fromkeys(("images", "annotations", "calibration"), str(tmp_path / "images")), **more.pop("data", {})}
    return {"models": {"a": {"weights": str(weights)}, "b": {"weights": "random"}}, "precisions": ["fp16", "int8"],
            "shapes": ["static"], "skip": [], "torch": True, "dataset": data, "int8": {"images": None, "target": 0},
            **more}  # fmt: skip


def test_cells_are_the_product_without_those_to_skip(tmp_path):
    chosen = config(tmp_path, skip=["b-int8-static"])
    settings.check(chosen, [])
    assert settings.cells(chosen) == ["a-fp16-static", "a-int8-static", "b-fp16-static"]
    assert settings.with_accuracy(chosen) == ["a-fp16-static", "a-int8-static"]


def test_a_cell_to_skip_that_does_not_exist(tmp_path):
    with pytest.raises(ConfigError, match="skip: 'a-int8-statik' is no cell"):
        settings.check(config(tmp_path, skip=["a-int8-statik"]), [])


def test_a_model_named_twice(tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text("models:\n  a: {weights: x}\n  a: {weights: y}\n")
    with pytest.raises(ConfigError, match=r"config\.yaml: 'a' is named twice \(line 3\)"):
        settings.check(config(tmp_path), [str(file)])


def test_weights_that_are_not_there(tmp_path):
    chosen = config(tmp_path, models={"a": {"weights": "nowhere.pt"}})
    with pytest.raises(ConfigError, match=r"models\.a\.weights: nowhere\.pt is not there"):
        settings.check(chosen, [])


@pytest.mark.parametrize("key", ["images", "annotations", "calibration"])
def test_a_data_set_that_is_not_there(tmp_path, key):
    with pytest.raises(ConfigError, match=rf"dataset\.{key}: nowhere is not there; correct the path"):
        settings.check(config(tmp_path, data={key: "nowhere"}), [])


def test_results_stay_usable_when_the_data_set_is_gone(tmp_path):
    (tmp_path / "results").mkdir()
    (tmp_path / "results/dataset.json").touch()
    settings.check(config(tmp_path, data={"images": "nowhere"}), [])


def test_what_is_to_be_fetched_need_not_be_there(tmp_path):
    coco = yaml.safe_load((ROOT / "config/coco.yaml").read_text())
    settings.check(config(tmp_path, data=coco["dataset"], int8={"images": 128, "target": 0}), [])


@pytest.mark.parametrize("target", [float("nan"), float("inf")])
def test_a_target_that_is_no_number(tmp_path, target):
    with pytest.raises(ConfigError, match=r"int8\.target: .* is no error"):
        settings.check(config(tmp_path, int8={"target": target}), [])


def test_a_model_named_by_a_number(tmp_path):
    with pytest.raises(ConfigError, match="models: 5 is no text; put the name in quotes"):
        settings.check(config(tmp_path, models={5: {"weights": "random"}}), [])


def test_downloads_lie_under_resources(tmp_path):
    chosen = config(tmp_path, models={"a": {"weights": "elsewhere/a.pt", "url": "https://example.org/a.pt"}})
    with pytest.raises(ConfigError, match="must lie under resources/"):
        settings.check(chosen, [])


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
