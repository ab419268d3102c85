"""What `make table` will do on this machine: on what, in which precisions, how many steps, about how long."""

import re
import subprocess
import sys
from pathlib import Path

from speedmap.engines import registry
from speedmap.machine.cpu_features import sums_saturate
from speedmap.run import duration
from speedmap.run.settings import Settings
from speedmap.run.verdict import OK, WARNING, Line

ROOT = Path(__file__).parents[4]
TARGET = "results/table.md"
PLAN_S = 120  # that a plan may take
ON = {"openvino": "OpenVINO on the CPU", "tensorrt": "TensorRT on the GPU", "null": "nothing, since null only pretends"}


def lines(config: Settings, files: list[str]) -> list[Line]:
    """Return what is forecast of a run; config: complete and without a mistake, read from files."""
    backend, platform = registry.planned(config.backend, config.platform)
    return [Line(OK, "precision", precision(backend, platform)), run(config, files, backend, planned(files))]


def precision(backend: str, platform: dict) -> str:
    """Say in what the cells of each precision run."""
    if backend != "openvino":
        return "FP16 and INT8 as the config asks for; the table says what ran"
    floats = inference_precision()
    half = "FP16" if floats == "FP16" else f"{floats}, OpenVINO's choice for this processor, and are called so"
    narrow = sums_saturate(platform)
    sums = "without VNNI, sums in 16 bits" if narrow else "with VNNI or its like, sums in 32 bits"
    return f"FP16 cells run in {half}; INT8 {sums}"


def inference_precision() -> str:
    """Ask OpenVINO what the CPU computes float graphs in: FP32, BF16 or FP16."""
    import openvino

    hint = openvino.Core().get_property("CPU", "INFERENCE_PRECISION_HINT").to_string()
    return {"f32": "FP32", "bf16": "BF16", "f16": "FP16"}.get(hint, hint)


def planned(files: list[str]) -> dict[str, int] | None:
    """Ask Snakemake for the number of jobs of each rule; None where it makes no plan."""
    given = ["--configfile", *files] if files != ["config.yaml"] else []
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--dry-run", "--cores", "all",
               "--quiet", "rules", "host", *given, "--", TARGET]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PLAN_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    table = done.stdout.partition("Job stats:")[2].partition("\ntotal")[0]
    return {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", table, re.MULTILINE)}


def run(config: Settings, files: list[str], backend: str, jobs: dict[str, int] | None) -> Line:
    """Say what make table will do; jobs: of each rule, None where no plan could be made."""
    command = "make table" + (f" CONFIG='{' '.join(files)}'" if files != ["config.yaml"] else "")
    if jobs is None:
        return Line(WARNING, "run", f"{command} makes no plan", f"snakemake -n {TARGET} says why")
    if not jobs:
        return Line(OK, "run", f"{command} has nothing left to do: {TARGET} is up to date")
    what = f"{len(config.cells)} cells of {_number(len(config.models), 'model')}"
    return Line(OK, "run", f"{command} will measure {ON[backend]}: {what}, {sum(jobs.values())} steps, "
                f"{_long(config, backend, jobs)}")  # fmt: skip


def _number(count: int, name: str) -> str:
    return f"{count} {name}{'' if count == 1 else 's'}"


def _long(config: Settings, backend: str, jobs: dict[str, int]) -> str:
    about = f"about {duration.words(duration.planned(jobs))} on two quiet cores"
    if backend == "tensorrt":
        return f"of which {jobs.get('build_engine', 0)} build engines, of minutes each"
    if config.dataset.name != "sample":
        return f"{about} if models and images were the sample's; the run's first steps tell better"
    return about
