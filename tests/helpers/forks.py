"""Snakemake, imported once and forked for each run: importing it takes longer than most of what tests let it do.

Reads a line of JSON for each run: the words after the command's name, the folder and the variables of its process, and
the file for what it says; answers each with an exit code.
"""

import json
import os
import sys

import jsonschema  # noqa: F401  as the workflow does
import msgspec  # noqa: F401
import pandas  # noqa: F401  as Snakemake does to compare a job's parameters
import smart_open  # noqa: F401  as it does to read the workflow
import snakemake.report.html_reporter  # noqa: F401
import yte  # noqa: F401
from snakemake import cli


def become(words: list[str], folder: str, environment: dict[str, str], output: str) -> None:
    """Be `python -m snakemake` with these words until this process ends."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for stream in (1, 2):
        os.dup2(os.open(output, os.O_WRONLY | os.O_APPEND), stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[:1] = [folder, *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))]
    sys.argv = ["snakemake", *words]
    cli.main()


for line in sys.stdin:
    if not (child := os.fork()):
        become(*json.loads(line))
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
