"""The config, the backend, the cells, and what a run does when it starts and ends; parsing changes no file."""

import sys
from pathlib import Path

from snakemake.utils import validate

SCRIPTS = Path(workflow.basedir, "workflow/scripts")
sys.path.insert(0, str(SCRIPTS))

from speedmap.engines import registry
from speedmap.machine import environment
from speedmap.run import config as settings
from speedmap.run import mistakes, start
from speedmap.run.settings import decode

config |= settings.replacing(given) | settings.numbers(config)

with start.refusing():
    mistakes.check(config, Path(workflow.source_path("../schemas/config.schema.yaml")), workflow.configfiles)
    validate(config, "../schemas/config.schema.yaml")  # which fills in the defaults
    settings.check_executable(sys.executable)
    settings.complete(config)
    settings.check(config, workflow.configfiles)
    SETTINGS = decode(config)
    BACKEND, PLATFORM = registry.planned(SETTINGS.backend, SETTINGS.platform)
    settings.check_method(SETTINGS.int8.method, BACKEND, PLATFORM)
    environment.commit()  # a wrong variable is told now, not after the first measurement

ENVIRONMENT = str(Path(workflow.basedir, "envs", "gpu.yaml" if BACKEND == "tensorrt" else "cpu.yaml"))
IMPLICIT = SETTINGS.int8.method == "implicit"
INT8 = {key: value for key, value in config["int8"].items() if key != "method"}  # of the explicit one
CONFIG = settings.experiment(config)


wildcard_constraints:
    backend="tensorrt|openvino|torch|null",
    model=settings.pattern(SETTINGS.models),
    precision="fp32|fp16|int8",
    shape=r"dynamic|static(-b([2-9]|[1-9][0-9]+))?",  # images of a batch, where there are more than one
    build=r"(\.[1-9][0-9]*)?",  # none: the engine that counts; .2, .3: further builds of it


onstart:
    deployed = SETTINGS.platform or workflow.deployment_settings.deployment_method
    with start.refusing():
        start.begin(SETTINGS, None if deployed else BACKEND, workflow.dag)


onsuccess:
    start.finish(timed_records(None))


onerror:
    # With --keep-going what could be measured is tabulated all the same, and the cells that failed show why.
    start.fail(SETTINGS, CONFIG, BACKEND, workflow.dag, log)
