from pathlib import Path

from speedmap.fingerprint import _imports, fingerprint_of


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
    scripts = Path("workflow/scripts")
    prints = {path.stem: fingerprint_of(scripts, path.stem) for path in scripts.glob("*.py")}
    assert len(set(prints.values())) == len(prints) > 5
