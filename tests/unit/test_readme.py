import re
import shlex
from pathlib import Path

import pytest
from snakemake.cli import parse_args

TEXT = Path("README.md").read_text().replace("\\\n", " ")
FOUND = re.findall(r"`(snakemake [^`]*)`", TEXT) + re.findall(r"^    (snakemake .*)$", TEXT, re.MULTILINE)
COMMANDS = [command for command in FOUND if "profiles/slurm" not in command]  # whose plugin is not installed here


def test_there_are_commands():
    assert len(COMMANDS) > 8


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_asks_for_the_file_that_it_names(command):
    words = shlex.split(command, comments=True)[1:]
    _, given = parse_args(words)
    named = {word for word in words if word == "publish" or word.startswith("results/")}
    assert named == set(given.targets) | set(given.forcerun or ())
