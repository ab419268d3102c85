import json
from pathlib import Path

import msgspec
import pytest

import speedmap
from helpers.record_factory import accuracy, speed
from speedmap import storage
from speedmap.results import checks, records
from speedmap.results.accuracy import Accuracy
from speedmap.results.cell import Cell
from speedmap.results.inventory import PublishedDataset
from speedmap.results.prepared import Choice, Engine, Verification
from speedmap.results.reported import Manifest, Provenance
from speedmap.results.speed import Speed
from speedmap.results.speedup import Speedup

PUBLISHED = Path(__file__).parents[3] / "results/published"
KINDS = {"speed": Speed, "speedup": Speedup, "accuracy": Accuracy, "engine": Engine, "verify": Verification,
         "dataset": PublishedDataset, "environment": Provenance, "published": Manifest}  # fmt: skip
CELL = Cell("tensorrt", "yolov5s", "int8", "static")


class Value(records.Record, kw_only=True):
    value: float


def test_a_record_comes_back_with_its_schema_and_the_version_that_wrote_it(tmp_path):
    path = tmp_path / "folder" / "record.json"
    records.write(path, Value(value=1.5))
    assert records.read(path, Value) == Value(value=1.5)
    expected = {"schema": records.SCHEMA, "speedmap": speedmap.__version__, "value": 1.5}
    assert json.loads(path.read_text()) == expected
    assert list(expected) == list(json.loads(path.read_text()))


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "record.json"
    records.write(path, Value(value=1))
    with pytest.raises(UnicodeEncodeError), storage.atomic(path) as temporary:
        temporary.write_text("half \ud800")
    assert records.read(path, Value).value == 1
    assert list(tmp_path.iterdir()) == [path]


def test_numbers_that_json_lacks_are_refused(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        records.write(tmp_path / "record.json", Value(value=float("nan")))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "{", "[]", json.dumps({"schema": 0}), '{"schema": 2, "value": NaN}', "[" * 10**5,
                                  '{"schema": 2}', '{"schema": 2, "value": "1"}', '{"value": 1.0}',
                                  '{"schema": 2, "value": 1, "more": 2}', '{"schema": 2, "value": 1e999}'])  # fmt: skip
def test_what_is_no_record_is_named(tmp_path, text):
    path = tmp_path / "record.json"
    path.write_text(text)
    with pytest.raises(
        records.RecordError, match=r"record\.json: .*; make it anew by `snakemake --cores 1 -f .*record\.json`"
    ):
        records.read(path, Value)


def test_a_record_of_an_older_schema_is_named(tmp_path):
    path = tmp_path / "record.json"
    path.write_text('{"value": 1.5, "schema": 1}')
    with pytest.raises(
        records.RecordError, match="of schema 1, where this version of speedmap reads schema 2; make it anew"
    ):
        records.read(path, Value)


@pytest.mark.parametrize("record", [speed(CELL), accuracy(CELL)], ids=["speed", "accuracy"])
def test_a_measured_record_needs_each_of_its_fields(tmp_path, record):
    path = tmp_path / CELL.folder / ("speed.json" if isinstance(record, Speed) else "accuracy.json")
    records.write(path, record)
    assert checks.checked([str(path)]) == [str(path)]
    assert checks.measured(path) == record
    content = json.loads(path.read_text())
    for key in content.keys() - {"speedmap", "classes"}:
        path.write_text(json.dumps({other: value for other, value in content.items() if other != key}))
        said = "of schema None" if key == "schema" else f"missing required field `{key}`"
        with pytest.raises(records.RecordError, match=said):
            checks.checked([str(path)])


@pytest.mark.parametrize(
    ("where", "value", "said"),
    [
        (("artefact", "engine_sha256"), "short", r"matching regex .* at `\$\.artefact\.engine_sha256`"),
        (("cell", "precision"), "int4", r"Invalid enum value 'int4' - at `\$\.cell\.precision`"),
        (("summary", "median_ms"), 0, r"> 0.0 - at `\$\.summary\.median_ms`"),
        (("summary", "count"), 0, r">= 1 - at `\$\.summary\.count`"),
        (("samples_ms",), [-1], r"> 0.0 - at `\$\.samples_ms\[0\]`"),
        (("samples_ms",), [], r"length >= 1 - at `\$\.samples_ms`"),
        (("shapes",), ["square"], r"at `\$\.shapes\[0\]`"),
        (("measured",), "yesterday", r"at `\$\.measured`"),
        (("environment", "commit"), "abc", r"at `\$\.environment\.commit`"),
        (("environment", "code"), "abc", r"at `\$\.environment\.code`"),
        (("runs",), [], r"length >= 1 - at `\$\.runs`"),
        (("runs",), [{"gpu": None, "start": "now", "end": "now"}], r"at `\$\.runs\[0\]\.start`"),
        (
            ("audit", "invalid"),
            [{"kind": "bad_luck"}],
            r"'bad_luck' - at `\$\.audit\.invalid\[0\]\.kind`",
        ),
        (("audit", "invalid"), ["a text"], r"got `str` - at `\$\.audit\.invalid\[0\]`"),
        (("doubts",), [{"kind": "halves_differ"}], r"missing required field `change` - at `\$\.doubts\[0\]`"),
    ],
)
def test_a_field_out_of_its_range_is_named(tmp_path, where, value, said):
    path = tmp_path / "speed.json"
    content = msgspec.to_builtins(speed(CELL))
    *inner, last = where
    place = content
    for key in inner:
        place = place[key]
    place[last] = value
    path.write_text(json.dumps(content))
    with pytest.raises(records.RecordError, match=said):
        checks.measured(path)


@pytest.mark.parametrize(("name", "value"), [("map", 41.3), ("map50", -2), ("map_se", -0.1)])
def test_a_metric_is_a_fraction(tmp_path, name, value):
    content = msgspec.to_builtins(accuracy(CELL))
    content["metrics"][name] = value
    path = tmp_path / "accuracy.json"
    path.write_text(json.dumps(content))
    with pytest.raises(records.RecordError, match=rf"at `\$\.metrics\.{name}`"):
        checks.measured(path)


def test_every_published_record_is_one_of_its_kind():
    paths = sorted(PUBLISHED.rglob("*.json"))
    assert len(paths) > 100
    for path in paths:
        kind = Choice if path.parent.name == "calibration" else KINDS[path.name.partition(".")[0]]
        assert records.read(path, kind)
        assert json.loads(path.read_text())["speedmap"]
