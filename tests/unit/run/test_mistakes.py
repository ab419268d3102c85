"""A mistake in a config is one line: file, key, cause, and what was meant."""

import pytest
import yaml

from helpers.snakemake_run import MINI, ROOT, SAMPLE
from speedmap.run import config_files, mistakes
from speedmap.run.config import ConfigError

SCHEMA = ROOT / "workflow/schemas/config.schema.yaml"
SHA = "0" * 64


@pytest.fixture
def refused(tmp_path, monkeypatch):
    """Return what is said of a config that has some keys of its own, written to mine.yaml."""
    monkeypatch.chdir(tmp_path)

    def say(changes, named=True):
        (tmp_path / "mine.yaml").write_text(yaml.safe_dump(changes))
        config = {"models": {"m": MINI}, "dataset": SAMPLE, **changes}
        with pytest.raises(ConfigError) as caught:
            mistakes.check(config, SCHEMA, [str(tmp_path / "mine.yaml")])
        assert "\n" not in str(caught.value)
        return str(caught.value).removeprefix("mine.yaml: ") if named else str(caught.value)

    return say


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"precision": ["int8"]}, "'precision' is no key; did you mean 'precisions'?"),
        ({"Precisions": ["int8"]}, "'Precisions' is no key; did you mean 'precisions'?"),
        ({"limit": 5}, "'limit' is no key; it belongs under dataset"),
        ({"speed": {"samples": 3}}, "speed: 'samples' is no key; did you mean 'min_samples'?"),
        ({"publish": {"yes": 1}}, "publish: 'yes' is no key; there is only force"),
        ({"dataset": {"calib" if key == "calibration" else key: value for key, value in SAMPLE.items()}},
         "dataset: 'calib' is no key; did you mean 'calibration'?"),
        ({"dataset": {key: SAMPLE[key] for key in ("name", "images", "annotations")}},
         "dataset: 'calibration' is missing; add it; or give data, the path of a data.yaml"),
        ({"batches": 8}, "batches: 8 is not a list; write [8]"),
        ({"builds": 0}, "builds: 0 is too small; it is at least 1"),
        ({"tensorrt": {"workspace_gib": 0}}, "tensorrt.workspace_gib: 0 is too small; it is more than 0"),
        ({"accuracy": {"iou": 1.5}}, "accuracy.iou: 1.5 is too large; it is at most 1"),
        ({"imgsz": 600}, "imgsz: 600 is no multiple of 32; the nearest are 576 and 608"),
        ({"imgsz": "640"}, "imgsz: '640' is not a whole number; write 640"),
        ({"imgsz": "large"}, "imgsz: 'large' is not a whole number"),
        ({"torch": "off"}, "torch: 'off' is not true or false"),
        ({"precisions": "fp16"}, "precisions: 'fp16' is not a list; write [fp16]"),
        ({"precisions": ["FP16"]}, "precisions: 'FP16' is not one of fp16, int8; did you mean 'fp16'?"),
        ({"precisions": ["fp32"]}, "precisions: 'fp32' is not one of fp16, int8"),
        ({"precisions": []}, "precisions: is empty; name at least one"),
        ({"shapes": ["static", "static"]}, "shapes: 'static' is named twice; delete one"),
        ({"backend": "tensorrtt"}, "backend: 'tensorrtt' is not one of auto, tensorrt, openvino, null; did you mean "
         "'tensorrt'?"),
        ({"backend": None}, 'backend: null is nothing in YAML; write "null" in quotes'),
        ({"models": {"mine": "best.pt"}}, "models.mine: 'best.pt' is not keys with values; write {weights: best.pt}"),
        ({"models": {"mine": {}}}, "models.mine: 'weights' is missing; add it"),
        ({"models": None}, "models: null is not keys with values"),
        ({"models": {"yolov5s-v6.0": {"weight": "a.pt"}}},
         "models.yolov5s-v6.0: 'weight' is no key; did you mean 'weights'?"),
        ({"models": {"a": {"weights": "resources/a.pt", "url": "https://a.org/a.pt"}}},
         "models.a: 'url' needs sha256 beside it; add it"),
        # what would be dangerous further on
        ({"models": {"a; rm -rf": MINI}}, "models: 'a; rm -rf' is not a name of letters, digits and . _ - alone"),
        ({"models": {"../a": MINI}}, "models: '../a' is not a name of letters"),
        ({"models": {"a\n": MINI}}, "models: 'a\\n' is not a name of letters"),
        ({"models": {"a" * 300: MINI}}, "is too long: 300 characters, at most 100 are allowed"),
        ({"models": {"a": {"weights": "a.pt\n"}}}, "models.a.weights: 'a.pt\\n' is not a path without { } in one line"),
        ({"models": {"a": {"weights": "resources/a.pt", "url": "file:///etc/passwd", "sha256": SHA}}},
         "models.a.url: 'file:///etc/passwd' is not an address that begins with http:// or https://"),
        ({"models": {"a": {"weights": "resources/a.pt", "url": "https://a.org/a.pt", "sha256": "0"}}},
         "models.a.sha256: '0' is not a sha256, 64 digits"),
        ({"dataset": {**SAMPLE, "images": "sample/{images}"}}, "dataset.images: 'sample/{images}' is not a path "),
        ({"dataset": {**SAMPLE, "images": "sample/images\n"}}, "dataset.images: 'sample/images\\n' is not a path"),
        ({"dataset": {**SAMPLE, "name": "x|y\n<script>"}}, "dataset.name: 'x|y\\n<script>' is not a name in one line"),
    ],
    ids=str,
)  # fmt: skip
def test_a_mistake_is_named_with_what_was_meant(refused, changes, said):
    assert said in refused(changes)


def test_the_file_is_named_and_the_command_line_where_no_file_has_it(refused, tmp_path):
    assert refused({"imgsz": 600}, named=False).startswith("mine.yaml: line 1: imgsz: 600")
    with pytest.raises(ConfigError, match=r"^--config: imgsz: 600"):
        mistakes.check({"models": {"m": MINI}, "dataset": SAMPLE, "imgsz": 600}, SCHEMA, [tmp_path / "none.yaml"])


def test_the_line_is_that_of_the_key_however_deep_and_of_the_last_where_it_stands_twice(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other.yaml").write_text("imgsz: 320\n")
    (tmp_path / "mine.yaml").write_text("models:\n  a.b:\n    weights: x\n  a:\n    b.c: y\nimgsz: 3\nimgsz: 4\n")
    files = ["other.yaml", "none.yaml", "mine.yaml"]
    places = {key: config_files.locate(key, files) for key in ("models.a.b.weights", "models.a.b.c", "speed")}
    assert list(places.values()) == ["mine.yaml: line 3", "mine.yaml: line 5", ""]
    assert config_files.locate("imgsz", files) == "other.yaml: line 1"
    assert config_files.locate("imgsz", files[1:]) == "mine.yaml: line 7"


def test_a_whole_config_without_models_is_named_by_its_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"^mine\.yaml: 'models' is missing; add it"):
        mistakes.check({}, SCHEMA, [str(tmp_path / "mine.yaml")])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"models: {a: {weights: random}\nimgsz: 320\n", "line 2, column 1: expected ',' or '}', but"),
        (b"dataset:\n\tname: a\n", r"line 2, column 1: found character '\t' that cannot start any token; indent"),
        (b"a: b: c\n", "line 1, column 5: mapping values are not allowed here; indent by spaces"),
        (b"a: [\n", "line 2, column 1: "),
        (b"a: \xff\n", "codec can't decode byte 0xff"),
        (b"a: \x00\n", "special characters are not allowed"),
        (b"", "has no keys with values; write some"),
        (b"- a list\n", "has no keys with values; write some"),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_yaml_is_named_with_its_place(tmp_path, monkeypatch, content, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sound.yaml").write_text("models: {}")
    (tmp_path / "mine.yaml").write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        config_files.check_readable([tmp_path / "sound.yaml", "mine.yaml"])
    assert str(caught.value).startswith("mine.yaml: ")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.yaml: No such file or directory; correct the path"):
        config_files.check_readable([tmp_path / "none.yaml"])


def test_every_keyword_of_the_schema_that_can_refuse_a_value_has_words():
    silent = {"$schema", "$defs", "$ref", "$comment", "description", "default", "properties", "propertyNames", "items",
              "if", "else"}  # fmt: skip
    assert set(keywords(yaml.safe_load(SCHEMA.read_text()))) - silent == set(mistakes.WORDS)


def keywords(schema):
    """Yield the keywords of a schema and of those within it."""
    for name, value in schema.items():
        yield name
        below = value.values() if name in ("properties", "$defs") else [value]
        if name not in ("default", "dependentRequired"):
            yield from (word for part in below if isinstance(part, dict) for word in keywords(part))


def test_every_key_of_the_schema_says_what_it_means():
    schema = yaml.safe_load(SCHEMA.read_text())
    keys = dict(described(schema))
    assert len(keys) > 70
    assert [key for key, text in keys.items() if not text] == []


def described(schema, path=""):
    """Yield the keys of a schema and of those within it, each with its own description, `""` for none."""
    below = {name: schema[name] for name in ("additionalProperties", "items") if isinstance(schema.get(name), dict)}
    for name, value in schema.get("properties", {}).items():
        yield f"{path}{name}", value.get("description", "")
        below[name] = value
    for name, value in (below | schema.get("$defs", {})).items():
        yield from described(value, f"{path}{name}.")
