"""Snakemake on this workflow, in a folder of its own: the one way in which tests run it."""

import atexit
import functools
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
SAMPLE = {"name": "sample", "images": "sample/images", "annotations": "sample/instances.json",
          "calibration": "sample/calibration"}  # fmt: skip
ONCE = {"remeasure_s": 0}  # nothing is measured again: a machine that tests run on is never quiet
MINI = {"weights": "sample/yolov5s-mini.safetensors"}


def prepare(folder, config=None):
    """Put the sample into a working directory, and the default config or another one; returns the directory."""
    folder.mkdir(parents=True, exist_ok=True)
    links = {"sample": ROOT / "sample"} | ({} if config else {"config.yaml": ROOT / "config.yaml"})
    for name, target in links.items():
        if not (folder / name).exists():
            (folder / name).symlink_to(target)
    if config:
        (folder / "config.yaml").write_text(yaml.safe_dump(ONCE | config))
    return folder


def overlay(folder, changes, text=""):
    """Write the keys that a run changes, and text after them as it is; returns the options that add them."""
    path = folder / "overlay.yaml"
    path.write_text(yaml.safe_dump(ONCE | changes, sort_keys=False) + text)
    return "--configfile", path


def command(folder, *arguments, cores=2):
    """Write a command that runs Snakemake; cores: None leaves them to a profile among the arguments."""
    given = (sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--directory", folder)
    return [str(word) for word in (*given, *(("--cores", cores) if cores else ()), *arguments)]


def run(folder, *arguments, cores=2, environment=None, imported=True):
    """Run Snakemake to its end; environment: variables to add, or to take away (None). Returns (exit code, output).

    imported: a fork of a process that has imported Snakemake will do, which saves the time that this takes.
    """
    words = command(folder, *arguments, cores=cores)
    return forked(words[3:], Path.cwd(), environment) if imported else started(words, Path.cwd(), environment)


def variables(environment):
    return {name: value for name, value in (os.environ | (environment or {})).items() if value is not None}


def started(words, folder, environment=None):
    """Run a command in a folder, as it stands; returns (exit code, output)."""
    done = subprocess.run(words, cwd=folder, env=variables(environment), stdout=-1, stderr=subprocess.STDOUT, text=True)
    return done.returncode, done.stdout


def forked(words, folder, environment=None):
    """Run Snakemake in a folder, in a fork of a process that has imported it; returns (exit code, output)."""
    with tempfile.NamedTemporaryFile("r") as output:
        given = [list(map(str, words)), str(folder), variables(environment), output.name]
        print(json.dumps(given), file=forks().stdin, flush=True)
        return int(forks().stdout.readline()), output.read()


@functools.cache
def forks():
    """Start the process that is forked; it ends with this one."""
    process = subprocess.Popen([sys.executable, Path(__file__).with_name("forks.py")], stdin=-1, stdout=-1, text=True)
    atexit.register(process.communicate)
    return process


def planned(output):
    """Read a plan's table of jobs; returns the number of jobs by rule, the target's own not among them."""
    table = output.partition("Job stats:")[2].partition("\ntotal")[0]
    lines = (line.split() for line in table.splitlines()[3:] if line.strip())
    return {rule: int(count) for rule, count in lines if rule != "all"}
