"""The config, the backend, the cells, and the parameters that make reruns exactly right."""

import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.utils import validate

SCRIPTS = Path(workflow.basedir, "workflow/scripts")
sys.path.insert(0, str(SCRIPTS))

from speedmap.engines import registry
from speedmap.errors import UserError, explain
from speedmap.machine import environment, gpu_lease
from speedmap.run import config as settings
from speedmap.run import failed_run, workdir_lock
from speedmap.run.fingerprint import contents, fingerprint_of, stamp

config |= settings.replacing(given)
validate(config, "../schemas/config.schema.yaml")

# held as long as this process lives
ALIVE = workdir_lock.take_over(Path(".snakemake"), Path("results"), workflow.is_main_process)

if workflow.is_main_process:
    failed_run.forget_partial(Path("results/table.md"))

try:
    settings.check(config, workflow.configfiles)
    BACKEND, PLATFORM = registry.planned(config["backend"], config["platform"])
    if config["torch"] and not config["platform"]:
        registry.check_torch(BACKEND)
    environment.commit()  # a wrong variable is told now, not after the first measurement
    settings.check_method(config["int8"]["method"], PLATFORM)
except UserError as error:
    raise WorkflowError(str(error))

if BACKEND == "tensorrt" and workflow.is_main_process and (others := gpu_lease.left_out()):
    print(others, file=sys.stderr)

ENVIRONMENT = str(Path(workflow.basedir, "envs", "gpu.yaml" if BACKEND == "tensorrt" else "cpu.yaml"))
DEVICE = {key: value for key, value in PLATFORM.items() if key != BACKEND}  # without the version of the backend
IMPLICIT = config["int8"]["method"] == "implicit"
INT8 = {key: value for key, value in config["int8"].items() if key != "method"}  # of the explicit one
DETECTING = min(5, workflow.cores) if BACKEND == "tensorrt" else workflow.cores  # beside a GPU: decode, launch, NMS
CELL = "{model}-{precision}-{shape}"
CELLS = settings.cells(config)
BUILDS = settings.builds(config)
TRAINED = settings.trained(config)
CONFIG = settings.experiment(config)


wildcard_constraints:
    model=settings.pattern(config["models"]),
    precision="fp32|fp16|int8",
    shape="static|dynamic",
    build=r"(\.[1-9][0-9]*)?",  # none: the engine that counts; .2, .3: further builds of it


onstart:
    workdir_lock.terminate_without_deadlock()
    failed_run.forget_reasons(workflow.dag)


def fingerprint(script, *engines):
    """Hash an adapter and all of the library that it imports, since Snakemake watches the script's own file only."""
    return fingerprint_of(SCRIPTS, script, *(registry.MODULES[engine] for engine in engines))


def folder_of(part):
    """Name a folder of images; of the user's own, the stamp tells what its time does not."""
    path = config["dataset"][part]
    return path if part in config["dataset"].get("sources", {}) else ancient(path)


def stamp_of_images(wildcards):
    return stamp(config["dataset"]["images"]), contents(config["dataset"]["calibration"])


def weights_of(wildcards):
    weights = config["models"][wildcards.model]["weights"]
    return [] if weights == "random" else weights


def source_of_weights(wildcards):
    return config["models"][wildcards.model]["weights"]


def options_of_build(wildcards):
    """Give the backend's options, and to an engine that is to be calibrated while it is built, on what.

    A further build times its kernels anew: with the timings of the first it would choose what that one chose.
    """
    options = config.get(BACKEND, {})
    if wildcards.build and "timing_cache" in options:
        options = options | {"timing_cache": False}
    if not IMPLICIT or wildcards.precision != "int8":
        return options
    return options | {"implicit": {"dataset": "results/dataset.json", "images": config["int8"]["images"]}}


def download_of(wildcards):
    return SOURCES[wildcards.path]


def archive_of(wildcards):
    return SOURCES[wildcards.path]["archive"]


def number_of_attempt(wildcards, attempt):
    """Tell a job whether it is a retry: an unstable measurement is taken once more, a second time it is kept."""
    return attempt


def baseline_folder(wildcards):
    try:
        return str(publishing.baseline(config["baseline"], BACKEND, PLATFORM))
    except UserError as error:
        raise WorkflowError(str(error))


def baseline_records(wildcards):
    return publishing.recorded(Path(baseline_folder(wildcards)))


def tabulate_what_there_is():
    """Make the table of a run that failed before its table; any other table that is there stays as it is."""
    missing, outputs = failed_run.unmade(workflow.dag), ("results/table.md", "results/table.csv")
    if outputs[0] in missing:
        cells = settings.planned(config, BACKEND)
        failed_run.write(cells, RECORDS, missing, "results/dataset.json", CONFIG, BACKEND, *outputs)


def explain_the_killed(logs):
    for log in logs:
        print(*explain.killed(Path(log).read_text(errors="replace")), sep="\n", file=sys.stderr)
