import re
import shlex
from pathlib import Path

import pytest
from snakemake.cli import parse_args

from speedmap.publishing import folders
from speedmap.reporting import claims
from speedmap.results import records
from speedmap.results.cell_result import gather
from speedmap.results.reported import Provenance

TEXT = "\n".join(path.read_text() for path in (Path("README.md"), *Path("docs").glob("*.md"))).replace("\\\n", " ")
COMMANDS = re.findall(r"`(snakemake [^`]*)`", TEXT) + re.findall(r"^    (snakemake .*)$", TEXT, re.MULTILINE)
COMMANDS = [command for command in COMMANDS if "profiles/slurm" not in command]  # whose plugin is not installed here


def test_there_are_commands():
    assert len(COMMANDS) > 8


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_asks_for_the_file_that_it_names_and_says_on_how_many_cores(command):
    words = shlex.split(command, comments=True)[1:]
    _, given = parse_args(words)
    named = {word for word in words if word in ("publish", "check_published") or word.startswith("results/")}
    assert named == set(given.targets) | set(given.forcerun or ())
    assert given.cores


@pytest.mark.parametrize("page", [Path("README.md"), *Path("docs").glob("*.md")], ids=str)
def test_links_lead_to_files_that_are_there(page):
    links = re.findall(r"\]\(([^)#:]+)\)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_line_to_quote_is_that_of_the_published_records():
    folder = Path("results/published/h100-tensorrt8.6")
    config = records.read(folder / "environment.json", Provenance).config
    (line,) = map(str, claims.claims(gather(folders.recorded(folder)), config))
    readme = Path("README.md").read_text("utf-8").splitlines()
    assert line == " ".join(part.removeprefix("> ") for part in readme if part.startswith("> "))
