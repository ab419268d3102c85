"""The table as a terminal shows it."""

import pytest

import show_table
from helpers.snakemake_run import ROOT
from speedmap.reporting import plain

GOLDEN = (ROOT / "tests/golden/table.md").read_text()


def test_the_page_fits_and_has_no_markdown():
    lines = plain.page(GOLDEN, 100).splitlines()
    assert max(map(len, lines)) <= 100
    assert not [line for line in lines if "<" in line or "**" in line or "|" in line or line.startswith("#")]


def test_figures_and_marks_are_those_of_the_page():
    text = plain.page(GOLDEN, 100)
    assert ["a", "6.00", "ms", "39.0", "1.50", "ms¹", "40.0", "12.3", "ms³", "38.8⁵"] in [
        line.split() for line in text.splitlines()
    ]
    assert "\n2. asked for fp16 but runs 100% fp32\n" in text
    assert "[1, 3, 640*]" in text


def test_details_are_left_to_the_file():
    assert "p50" in GOLDEN
    assert "p50" not in plain.page(GOLDEN, 100)


def words(text):
    return {word for word in text.split() if not word.startswith(("--", "=="))}


@pytest.mark.parametrize("width", [60, 80])
def test_a_table_that_is_too_wide_goes_in_parts_with_the_models_in_each(width):
    text = plain.page(GOLDEN, width)
    assert max(map(len, text.splitlines())) <= width
    assert words(text) == words(plain.page(GOLDEN, 100))
    assert len([line for line in text.splitlines() if line.startswith("Model")]) > 2


def test_further_lines_of_a_footnote_stand_under_its_words():
    assert plain.page("1. one two three", 9) == "1. one\n   two\n   three\n"


def test_several_marks_and_escaped_signs():
    text = plain.page("| a \\| b | c<sup>1,12</sup> |\n|---|---|\n| \\* | **d** |", 80)
    assert text.splitlines()[0].split() == ["a", "|", "b", "c¹·¹²"]
    assert text.splitlines()[2].split() == ["*", "d"]


def test_the_script_prints_it_and_says_where_the_rest_is(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "400")
    show_table.main(str(ROOT / "tests/golden/table.md"), "make report CONFIG='mine.yaml'")
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 110
    assert lines[-1].endswith("tests/golden/table.md. All of it with pictures: make report CONFIG='mine.yaml'")
