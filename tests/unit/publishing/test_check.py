"""Published folders as strangers hand them in: that of this project, and what may have become of it."""

import json
import shutil
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from check_published import check_published
from speedmap import storage
from speedmap.publishing import check, folders
from speedmap.publishing.folders import PublishError

PUBLISHED = Path(__file__).parents[3] / "results/published"
OURS, BATCHES = PUBLISHED / "h100-tensorrt8.6", PUBLISHED / "h200-tensorrt8.6/batches"
CELL = "tensorrt/yolov5s-v6.0-int8-static"
SPEED, ACCURACY, ENGINE = (f"{CELL}/{name}.json" for name in ("speed", "accuracy", "engine"))
OTHER = "tensorrt/yolov5m-int8-static/speed.json"


@pytest.fixture
def folder(tmp_path):
    """A copy of what this project has published."""
    given = json.loads((OURS / "published.json").read_text())
    for name in (*given["files"], "published.json"):
        (tmp_path / OURS.name / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(OURS / name, tmp_path / OURS.name / name)
    return tmp_path / OURS.name


@pytest.fixture
def edit(folder):
    """Change a record's field, and make the hashes anew as one would who wants to hide it; returns what is said."""

    def change(name, *keys, value):
        content = json.loads((folder / name).read_text())
        place = content
        for key in keys[:-1]:
            place = place[key]
        place[keys[-1]] = value(place[keys[-1]]) if callable(value) else value
        (folder / name).write_text(json.dumps(content))
        return rehashed(folder)

    return change


def rehashed(folder):
    manifest = json.loads((folder / "published.json").read_text())
    manifest["files"] = {name: storage.sha256(folder / name) for name in manifest["files"]}
    (folder / "published.json").write_text(json.dumps(manifest))
    return check.problems(folder)


def faster(value):
    return value * 0.9


@pytest.mark.parametrize("published", sorted(PUBLISHED.glob("*/published.json")), ids=lambda path: path.parent.name)
def test_what_this_project_publishes_is_whole_and_unedited(published):
    assert check.problems(published.parent) == []


@pytest.fixture
def opened(tmp_path):
    """A copy of the pair that was opened four times."""
    return shutil.copytree(PUBLISHED / "h200-tensorrt8.6/cut-grid", tmp_path / "h200-tensorrt8.6")


def test_a_pair_that_was_opened_four_times_is_whole_and_unedited(opened):
    assert check.problems(opened) == []


def test_a_speed_up_that_no_record_has_is_found(opened):
    name = "tensorrt/yolov5n-v7.0-int8-dynamic/speedup.json"
    manifest = json.loads((opened / "published.json").read_text())
    del manifest["files"][name]
    (opened / "published.json").write_text(json.dumps(manifest))
    (opened / name).unlink()
    said = rehashed(opened)
    assert any("table.csv: the float / INT8 of tensorrt/yolov5n-v7.0-int8-dynamic, 0.97" in line for line in said)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"high": 1.02}, "its high, 1.02, is not that of its rounds, 0.98899"),
        ({"openings": 1}, "its ratio, 0.9729826"),
        ({"openings": 3}, "has 40 rounds in 3 openings, not as many in each of 4"),
        ({"openings": 10**9}, "has 40 rounds in 1000000000 openings"),
        ({"rounds_ms": [[2.0, 1.0]] * 39}, "has 39 rounds in 4 openings"),
    ],
    ids=str,
)
def test_openings_that_do_not_fit_the_rounds_are_found(opened, change, said):
    path = opened / "tensorrt/yolov5n-v7.0-int8-dynamic/speedup.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    assert any(f"speedup.json: {said}" in line for line in rehashed(opened))


def test_an_edited_throughput_is_found_although_its_hash_was_made_anew(tmp_path):
    folder = shutil.copytree(BATCHES, tmp_path / BATCHES.parent.name)
    table = (folder / "table.md").read_text()
    assert table.count(" 7959 ") == 1
    (folder / "table.md").write_text(table.replace(" 7959 ", " 8959 "))
    (line,) = rehashed(folder)
    assert "table.md: 8959 of yolov5n-v7.0 is in no record" in line


def test_a_speed_up_that_does_not_follow_from_its_rounds_is_found(edit):
    said = edit(f"{CELL}/speedup.json", "rounds_ms", value=[[2.0, 1.0]] * 40)
    assert any(
        f"{CELL}/speedup.json: its ratio, 1.0" in line and "is not that of its rounds, 2.0" in line for line in said
    )


def test_a_speed_up_of_another_engine_is_found(edit):
    said = edit(f"{CELL}/speedup.json", "artefact", "engine_sha256", value="0" * 64)
    assert any(f"{CELL}: speedup.json is of other engines" in line for line in said)


@pytest.mark.parametrize("name", [SPEED, "table.md", "environment.json"])
def test_a_file_that_is_cut_off_is_named_in_one_line(folder, name):
    (folder / name).write_bytes((folder / name).read_bytes()[:-100])
    (line,) = check.problems(folder)
    assert line.startswith(f"{folder / name}: is not the file that was published, as its hash says; ")


@pytest.mark.parametrize(
    ("content", "said"),
    [("{", "no JSON record"), ("{}", "of schema None"), ("[" * 10**5, "not a sound record"),
     ('{"schema": 2}', "missing required field `device`")],
)  # fmt: skip
def test_a_manifest_that_is_none_is_named_in_one_line(folder, content, said):
    (folder / "published.json").write_text(content)
    (line,) = check.problems(folder)
    assert line.startswith(f"{folder}/published.json: ")
    assert said in line
    assert "\n" not in line


def test_a_manifest_that_is_none_stops_a_comparison_in_one_line_too(folder):
    (folder / "published.json").write_text('{"schema": 2}')
    with pytest.raises(PublishError, match=r"published\.json: no manifest of published results; move its folder away"):
        folders.manifests(folder.parent)


def test_a_folder_without_a_manifest_is_named(folder):
    (folder / "published.json").unlink()
    assert check.problems(folder) == [
        f"{folder}: has no published.json; hand in the whole folder that publishing wrote"
    ]


def test_a_file_that_is_gone_foreign_a_link_or_giant_is_named(folder):
    (folder / SPEED).unlink()
    assert check.problems(folder) == [f"{folder / SPEED}: is not there; publish the run again"]
    (folder / SPEED).symlink_to(OURS / SPEED)
    assert check.problems(folder) == [f"{folder / SPEED}: is a link; put the file itself there"]
    (folder / SPEED).unlink()
    with (folder / SPEED).open("wb") as file:
        file.truncate(check.LARGEST + 1)
    assert "has 64 MiB, more than a record has" in check.problems(folder)[0]
    shutil.copyfile(OURS / SPEED, folder / SPEED)
    shutil.copyfile(OURS / SPEED, folder / CELL / "speed.2.json")
    assert check.problems(folder) == [
        f"{folder / CELL}/speed.2.json: was not published with the rest; take it out, or publish the run again"
    ]


@pytest.mark.parametrize("name", ["../../secret.json", "/etc/passwd"])
def test_a_manifest_that_leads_out_of_its_folder_is_refused(folder, edit, name):
    (folder.parent.parent / "secret.json").write_text("{}")
    manifest = json.loads((folder / "published.json").read_text())
    manifest["files"][name] = "0" * 64
    (folder / "published.json").write_text(json.dumps(manifest))
    (line,) = check.problems(folder)
    assert f"names {name!r}, which does not lie in its folder" in line


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("objections", ["the clone was dirty"], "was published by force, although the clone was dirty; measure again"),
        ("files", {}, "names no hashes"),
        ("records", [], "names no figure"),
        ("published", "yesterday", "published 'yesterday', which is no time"),
        ("device", "NVIDIA L4", "is of NVIDIA L4 with tensorrt 8.6.1; name its folder l4-tensorrt8.6"),
    ],
)
def test_a_manifest_that_cannot_stand_is_named(folder, key, value, said):
    manifest = json.loads((folder / "published.json").read_text())
    (folder / "published.json").write_text(json.dumps({**manifest, key: value}))
    (line,) = check.problems(folder)
    assert said in line


@pytest.mark.parametrize(
    ("name", "keys", "value", "said"),
    [
        (SPEED, ("schema",), 1, "of schema 1"),
        (SPEED, ("cell", "model"), "yolov5x", "is of tensorrt/yolov5x-int8-static"),
        (ACCURACY, ("metrics", "map"), "0.5", "Expected `float`"),
        (ACCURACY, ("measured",), "2026-06-31T01:02:03+00:00", "2026-06-31T01:02:03+00:00 is no time"),
    ],
)
def test_a_record_of_another_kind_or_cell_is_named(edit, folder, name, keys, value, said):
    (line,) = edit(name, *keys, value=value)
    assert line.startswith(f"{folder / name}: ")
    assert said in line


@pytest.mark.parametrize(
    ("keys", "value", "said"),
    [
        (("platform", "gpu"), "NVIDIA L4", "is of another device than"),
        (("platform", "tensorrt"), "10.3.0", "is of another tensorrt than"),
        (("cpu",), "another", "is of another processor than"),
        (("versions", "numpy"), "1.0", "is of another software than"),
        (("platform", "driver"), None, "does not tell the driver; measure again"),
        (("commit",), None, "does not tell the commit"),
        (("dirty",), True, "is of changed code; measure again from a clean commit"),
    ],
)
def test_a_record_of_another_machine_or_of_an_unknown_one_is_named(edit, folder, keys, value, said):
    lines = edit(OTHER, "environment", *keys, value=value)
    assert any(line.startswith(f"{folder / OTHER}: {said}") for line in lines), lines


@pytest.mark.parametrize(
    ("name", "keys", "value", "said"),
    [
        (SPEED, ("summary", "median_ms"), faster, "its median_ms, "),
        (SPEED, ("summary", "median_low_ms"), faster, "its median_low_ms, "),
        (SPEED, ("samples_ms",), lambda all_: [one * 0.9 for one in all_], "its median_ms, "),
        (SPEED, ("samples_ms",), lambda all_: all_[:-1], "and the shapes of"),
        (ACCURACY, ("metrics", "map"), lambda value: value + 0.08, "lies outside of all draws of its bootstrap"),
        (ACCURACY, ("metrics", "map"), lambda value: value + 0.01, "is in no record"),
        (ACCURACY, ("metrics", "map_se"), faster, "is not that of its bootstrap"),
        (ACCURACY, ("metrics", "map50"), lambda value: value / 2, "its mAP at an overlap of 0.5 is less"),
        (SPEED, ("measured",), "2026-11-27T04:35:14+00:00", "which is no order"),
        (SPEED, ("audit", "shares"), {"int8": 1.0}, "say differently what the engine runs"),
        (ENGINE, ("engine_sha256",), "0" * 64, "its records are of different engines"),
        (SPEED, ("environment", "commit"), "0" * 40, "what stands under figures is not what the records tell"),
        ("environment.json", ("config", "imgsz"), 320, "what stands under config_sha256 is not what the records tell"),
        ("dataset.json", ("sha256",), "0" * 64, "dataset.json: is of other images than the records"),
    ],
)  # fmt: skip
def test_an_edited_figure_is_found_although_its_hashes_were_made_anew(edit, name, keys, value, said):
    lines = edit(name, *keys, value=value)
    assert any(said in line for line in lines), lines
    assert all(line.endswith("; publish what was measured, unchanged") for line in lines)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("table.md", "0.81 ms", "0.61 ms"),
        ("table.md", "| 41.5 ", "| 43.5 "),
        ("table.csv", ",0.36732798", ",0.26732798"),
    ],
)
def test_an_edited_table_is_found_although_its_hash_was_made_anew(folder, name, old, new):
    text = (folder / name).read_text()
    assert old in text
    (folder / name).write_text(text.replace(old, new))
    lines = rehashed(folder)
    assert lines
    assert all(f"/{name}: " in line and " is in no record; " in line for line in lines)


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"\xff\xfe\x00", b"cell,p50 ms,mAP\nx,fast,good\n"])
def test_a_table_that_is_none_is_named(folder, content):
    (folder / "table.csv").write_bytes(content)
    assert rehashed(folder) == [
        f"{folder}/table.csv: is no table of cells and their figures; publish what was measured, unchanged"
    ]


def test_samples_that_take_longer_than_the_run_did_are_found(edit, folder):
    (run,) = json.loads((folder / SPEED).read_text())["runs"]
    end = datetime.fromisoformat(run["start"]) + timedelta(seconds=0.5)
    lines = edit(SPEED, "runs", 0, "end", value=end.isoformat())
    assert any("its samples sum up to 0.7 s, but it ran 0.5 s" in line for line in lines), lines


def test_folders_are_handed_in_by_name(folder):
    (folder.parent / "README.md").write_text("an index")
    (folder.parent / "a").mkdir()
    assert folders.handed_in(folder.parent) == [str(folder.parent / "a"), str(folder)]
    assert folders.handed_in(folder.parent / "nowhere") == []


def test_the_check_fails_with_a_line_for_each_objection_and_keeps_them(folder, tmp_path, capsys):
    log = tmp_path / "check_published.log"
    check_published([str(folder)], str(log))
    assert capsys.readouterr().out == "1 published folders: whole, of one machine each, no sign of editing\n"
    (folder / SPEED).unlink()
    (folder / "table.md").unlink()
    with pytest.raises(SystemExit, match="1"):
        check_published([str(folder)], str(log))
    said = capsys.readouterr().out
    assert [line.partition(": ")[0] for line in said.splitlines()] == [str(folder / SPEED), str(folder / "table.md")]
    assert log.read_text() == said
