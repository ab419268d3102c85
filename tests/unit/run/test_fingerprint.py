import ast
import os
import re
from pathlib import Path

import pytest

from speedmap.run.fingerprint import LEFT_OUT, _imports, _is_module, contents, fingerprint_of, sources, stamp, target

SCRIPTS = Path("workflow/scripts")


def library(tmp_path, **modules):
    (tmp_path / "speedmap").mkdir(exist_ok=True)
    for name, text in modules.items():
        (tmp_path / "speedmap" / f"{name}.py").write_text(text)
    (tmp_path / "job.py").write_text("from speedmap import a\n")
    _imports.cache_clear()
    return fingerprint_of(tmp_path, "job")


def test_an_edit_counts_when_it_is_imported_however_deep(tmp_path):
    first = library(tmp_path, a="from speedmap.b import x\n", b="x = 1\n", other="y = 1\n")
    assert library(tmp_path, b="x = 2\n") != first
    assert library(tmp_path, b="x = 1\n") == first
    assert library(tmp_path, other="y = 2\n") == first


def test_every_adapter_of_the_project_can_be_hashed():
    prints = {path.stem: fingerprint_of(SCRIPTS, path.stem) for path in SCRIPTS.glob("*.py")}
    assert len(set(prints.values())) == len(prints) > 5


@pytest.mark.parametrize("engine", ["engines.tensorrt.backend", "engines.openvino", "engines.pytorch", "engines.null"])
@pytest.mark.parametrize(
    ("job", "own", "other"),
    [
        (
            "measure_speed",
            {"timing.speed", "machine.monitor", "timing.stats"},
            {"accuracy.detect", "dataset.coco", "accuracy.bootstrap", "accuracy.paired_difference"},
        ),
        (
            "measure_accuracy",
            {"accuracy.detect", "accuracy.evaluate", "accuracy.bootstrap", "model.postprocess"},
            {"timing.speed", "machine.monitor", "timing.stats", "timing.protocol"},
        ),
    ],
)
def test_an_edit_for_one_job_does_not_rerun_the_other(job, own, other, engine):
    paths = {path.relative_to(SCRIPTS).with_suffix("") for path in sources(SCRIPTS, job, engine)}
    behind = {".".join(path.parts).removeprefix("speedmap.") for path in paths}
    assert own <= behind
    assert not other & behind
    assert engine.startswith("engines.tensorrt") or not [name for name in behind if "tensorrt" in name]


@pytest.mark.parametrize(
    "line",
    [
        "from speedmap.deep import b",
        "import speedmap.deep.b",
        "from speedmap.deep.b import x",
        "from speedmap.deep.b import (\n    x,  # of all\n    y,\n)",
        "def f(y):\n  try:\n    pass\n  except E:\n    match y:\n      case 1:\n        from speedmap.deep import b",
    ],
)
def test_modules_in_packages_count_in_every_form_of_import(tmp_path, line):
    (tmp_path / "speedmap/deep").mkdir(parents=True)
    (tmp_path / "speedmap/deep/__init__.py").touch()
    (tmp_path / "speedmap/deep/b.py").write_text("x = 1\n")
    first = library(tmp_path, a=f"{line}\n")
    (tmp_path / "speedmap/deep/b.py").write_text("x = 2\n")
    assert library(tmp_path) != first


def test_imports_are_all_that_python_sees():
    library = SCRIPTS / "speedmap"
    for path in SCRIPTS.rglob("*.py"):
        nodes = [*ast.walk(ast.parse(path.read_bytes()))]
        names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
        for node in (node for node in nodes if isinstance(node, ast.ImportFrom)):
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        inside = {name.removeprefix("speedmap.") for name in names if name and name.startswith("speedmap.")}
        modules = {name for name in inside if _is_module(library.joinpath(*name.split(".")))}
        assert {*_imports(path, library)} == modules, path


def test_what_is_left_out_is_there_and_is_not_hashed():
    paths = {
        path.relative_to(SCRIPTS / "speedmap")
        for path in sources(SCRIPTS, "measure_speed")
        if path.stem != "measure_speed"
    }
    for name in LEFT_OUT:
        assert _is_module(SCRIPTS / "speedmap" / name.replace(".", "/"))
    assert not [path for path in paths if path.parts[0] == "errors"]


def test_files_are_seen_to_change_in_place_but_hidden_ones_do_not_count(tmp_path):
    (tmp_path / "deep").mkdir()
    file = tmp_path / "deep/1.jpg"
    file.write_bytes(b"one")
    first = stamp(str(tmp_path))
    (tmp_path / ".DS_Store").touch()
    os.utime(file, (1, 1))
    assert stamp(str(tmp_path)) == first
    file.write_bytes(b"other")
    assert stamp(str(tmp_path)) != first
    assert stamp(str(tmp_path / "nowhere")) == stamp(str(tmp_path / "neither"))


def test_calibration_images_are_seen_to_change_even_if_they_keep_their_size(tmp_path):
    file = tmp_path / "1.bmp"
    file.write_bytes(b"one")
    first = contents(str(tmp_path))
    os.utime(file, (1, 1))
    assert contents(str(tmp_path)) == first
    file.write_bytes(b"two")
    assert contents(str(tmp_path)) != first
    assert contents(str(tmp_path / "nowhere")) == contents(str(tmp_path / "neither"))


def test_what_lies_behind_links_counts_as_the_thing_itself(tmp_path):
    (tmp_path / "store").mkdir()
    (tmp_path / "images").mkdir()
    file = tmp_path / "store/1.jpg"
    file.write_bytes(b"one")
    (tmp_path / "images/val").symlink_to(tmp_path / "store")
    (tmp_path / "images/single.jpg").symlink_to(file)
    (tmp_path / "store/again").symlink_to(tmp_path / "images")  # which has no end
    (tmp_path / "images/broken").symlink_to(tmp_path / "nowhere")
    first = stamp(str(tmp_path / "images"))
    assert stamp(str(tmp_path / "images")) == first
    file.write_bytes(b"other")
    assert stamp(str(tmp_path / "images")) != first
    second = stamp(str(tmp_path / "images"))
    (tmp_path / "store/2.jpg").write_bytes(b"more")
    assert stamp(str(tmp_path / "images")) != second


def test_a_link_to_another_file_or_folder_is_seen_whatever_their_times(tmp_path, monkeypatch):
    for name in ("a.pt", "b.pt"):
        (tmp_path / name).write_bytes(b"same size")
        os.utime(tmp_path / name, (1, 1))
    monkeypatch.chdir(tmp_path)
    Path("best.pt").symlink_to("a.pt")
    first = target("best.pt")
    assert first == target("a.pt") == ("a.pt", 9)
    Path("best.pt").unlink()
    Path("best.pt").symlink_to("b.pt")
    assert target("best.pt") != first
    assert target("nowhere") == ("nowhere", 0)


def test_what_makes_a_rule_rerun_does_not_follow_from_its_inputs():
    """Snakemake leaves parameters out of its triggers that are functions of `input`, whose names it watches itself."""
    text = Path("workflow/rules/inputs.smk").read_text()
    assert re.findall(r"def (\w+)\(wildcards, input", text) == ["source_of_weights"]
