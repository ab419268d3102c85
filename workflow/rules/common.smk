"""The backend, the cells, and the parameters that make reruns exactly right."""

import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

SCRIPTS = Path(workflow.basedir, "workflow/scripts")
sys.path.insert(0, str(SCRIPTS))

from speedmap import backends, settings
from speedmap.errors import UserError
from speedmap.fingerprint import fingerprint_of

try:
    settings.check(config, workflow.configfiles)
    BACKEND = backends.choose(config["backend"])
except UserError as error:
    raise WorkflowError(str(error))

ENVIRONMENT = str(Path(workflow.basedir, "envs", "gpu.yaml" if BACKEND == "tensorrt" else "cpu.yaml"))
PLATFORM = backends.platform(BACKEND)
CELL = "{model}-{precision}-{shape}"
CELLS = settings.cells(config)
TRAINED = settings.trained(config)
CONFIG = settings.experiment(config)


wildcard_constraints:
    model=settings.pattern(config["models"]),
    precision="fp32|fp16|int8",
    shape="static|dynamic",


def fingerprint(script, *engines):
    """Hash an adapter and all of the library that it imports, since Snakemake watches the script's own file only."""
    return fingerprint_of(SCRIPTS, script, *engines)


def weights_of(wildcards):
    weights = config["models"][wildcards.model]["weights"]
    return [] if weights == "random" else weights


def source_of_weights(wildcards):
    return config["models"][wildcards.model]["weights"]


def download_of(wildcards):
    return SOURCES[wildcards.path]


def archive_of(wildcards):
    return SOURCES[wildcards.path]["archive"]


def number_of_attempt(wildcards, attempt):
    """Tell a job whether it is a retry: an unstable measurement is taken once more, a second time it is kept."""
    return attempt


def tabulate_what_there_is():
    import render_table

    cells = settings.planned(config, BACKEND)
    if Path("results/dataset.json").exists() and any(Path(cell.folder, "speed.json").exists() for cell in cells):
        render_table.partial(cells, "results/dataset.json", CONFIG, BACKEND, "results/table.md")
