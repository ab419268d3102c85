"""The config, the backend, the cells, and what a run does when it starts and ends; parsing changes no file."""

import os
import sys
from copy import deepcopy
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.sourcecache import HostingProviderFile, LocalSourceFile
from snakemake.utils import validate


def scripts_folder(source):
    """Return where adapters and library lie; those of a hosted repository are fetched to where Snakemake runs scripts."""
    if isinstance(source, LocalSourceFile):
        return Path(source.get_path_or_uri(secret_free=True)).resolve()
    if not isinstance(source, HostingProviderFile):
        raise WorkflowError(f"{source}: speedmap is a module by the path of a clone, github(...) or gitlab(...) alone")
    source.fetch_if_required()
    repository = source.hosted_repo.repo
    os.environ.setdefault("SPEEDMAP_COMMIT", repository.commit(source.ref).hexsha)
    listed = repository.git.ls_tree("-r", "--name-only", source.ref, f"{source.path}/").splitlines()
    paths = [workflow.sourcecache.get_path(source.join(name.removeprefix(f"{source.path}/"))) for name in listed]
    return Path(os.path.commonpath(paths))


SCRIPTS = scripts_folder(workflow.current_basedir.join("../scripts"))
sys.path.insert(0, str(SCRIPTS))

from speedmap.engines import registry
from speedmap.machine import environment
from speedmap.run import config as settings
from speedmap.run import config_files, downloads, mistakes, start
from speedmap.run.terminal import OURS

given = deepcopy(config)  # by --configfile and --config
DEFAULT = Path("config.yaml" if Path("config.yaml").exists() else "config/config.yaml")

with start.refusing():
    start.demand_writable()
    config_files.check_readable(filter(Path.exists, [DEFAULT]))


configfile: str(DEFAULT)


config |= settings.replacing(given) | settings.numbers(config)

with start.refusing():
    mistakes.check(config, Path(workflow.source_path("../schemas/config.schema.yaml")), workflow.configfiles)
    validate(config, "../schemas/config.schema.yaml")  # which fills in the defaults
    settings.check_executable(sys.executable)
    SETTINGS = settings.read(config, workflow.configfiles)
    BACKEND, PLATFORM = settings.planned(SETTINGS, workflow.configfiles)
    environment.commit()  # a wrong variable is told now, not after the first measurement

if remark := start.without_history():
    OURS.warning(remark)

ENVIRONMENT = "../../envs/gpu.yaml" if BACKEND == "tensorrt" else "../../envs/cpu.yaml"
IMPLICIT = SETTINGS.int8.method == "implicit"
INT8 = {key: value for key, value in config["int8"].items() if key != "method"}  # of the explicit one
CORES = workflow.resource_settings.cores or 1  # a report is made without any


wildcard_constraints:
    backend="tensorrt|openvino|torch|null",
    model=downloads.pattern(SETTINGS.models),
    precision="fp32|fp16|int8",
    shape=r"dynamic|static(-b([2-9]|[1-9][0-9]+))?",  # images of a batch, where there are more than one
    batch="[2-9]|[1-9][0-9]+",
    name=downloads.pattern(SETTINGS.foreign),  # of engines from elsewhere
    build=r"(\.[1-9][0-9]*)?",  # none: the engine that counts; .2, .3: further builds of it


onstart:
    deployed = SETTINGS.platform or workflow.deployment_settings.deployment_method
    with start.refusing():
        start.begin(SETTINGS, None if deployed else BACKEND, workflow.dag)
    # Under a limit of jobs a second, by default 100, each job that ends leaves a timer that looks for more to start and
    # sets the next: after ninety jobs a tenth of a core, beside what is timed. Limits are for the queues of clusters.
    if workflow.local_exec:
        workflow.scheduler.job_rate_limiter = None


onsuccess:
    start.finish([*timed_records(None), *timed_pairs(None)], workflow.dag)


onerror:
    # With --keep-going what could be measured is tabulated all the same, and the cells that failed show why.
    start.fail(SETTINGS, BACKEND, workflow.dag, log)
