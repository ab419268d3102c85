import json

import pytest

from speedmap import storage
from speedmap.results import records


def test_a_record_comes_back_with_its_schema(tmp_path):
    path = tmp_path / "folder" / "record.json"
    records.write(path, {"value": 1.5})
    assert records.read(path) == {"schema": records.SCHEMA, "value": 1.5}


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "record.json"
    records.write(path, {"value": 1})
    with pytest.raises(UnicodeEncodeError), storage.atomic(path) as temporary:
        temporary.write_text("half \ud800")
    assert records.read(path)["value"] == 1
    assert list(tmp_path.iterdir()) == [path]


def test_numbers_that_json_lacks_are_refused(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        records.write(tmp_path / "record.json", {"value": float("nan")})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "{", "[]", json.dumps({"schema": 0}), '{"schema": 1, "a": NaN}', "[" * 100_000])
def test_what_is_no_record_is_named(tmp_path, text):
    path = tmp_path / "record.json"
    path.write_text(text)
    with pytest.raises(records.RecordError, match=r"record\.json"):
        records.read(path)
