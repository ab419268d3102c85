"""Check a machine before the run, in at most ten lines: what was found, what is missing, what the run will do."""

import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from speedmap.engines import registry
from speedmap.errors import UserError, explain
from speedmap.machine import environment
from speedmap.machine.nvml import Gpu, Identity, NoGpu
from speedmap.run import forecast, install
from speedmap.run.install import pins
from speedmap.run.settings import Settings
from speedmap.run.verdict import MISSING, OK, WARNING, Line

ROOT = Path(__file__).parents[4]
SCHEMA = ROOT / "workflow/schemas/config.schema.yaml"
OLDEST = (3, 11)
GIB = 2**30
DISK, LEAST_DISK = 20 * GIB, 2 * GIB  # COCO val2017, weights and engines; the sample's files
MEMORY = 4 * GIB  # an export of yolov5x beside a build
UNSEEN = "only TensorRT 8.6 has been measured so far: please paste what make test-gpu prints at its end into an issue"
FREE_SHARE = 0.8  # of the GPU's memory: below it, somebody else works there


def python(version: tuple[int, ...] = sys.version_info[:3]) -> Line:
    """Check Python's version."""
    text = ".".join(map(str, version))
    if version < OLDEST:
        return Line(MISSING, "python", text, f"{'.'.join(map(str, OLDEST))} or newer is needed: make PYTHON=...")
    return Line(OK, "python", text)


def gpu(open_gpu: Callable[[], Gpu] = Gpu, choice: Callable[[], install.Choice] = install.asked) -> Line:
    """Check the GPU and its driver through NVML; none is no fault, since OpenVINO needs none.

    choice: of an environment, whose reason tells a machine without a driver from one whose driver fails.
    """
    try:
        found = open_gpu()
    except NoGpu as error:
        if choice().reason.startswith(install.NO_DRIVER):
            return Line(OK, "gpu", "none from NVIDIA; OpenVINO measures on the CPU")
        return Line(WARNING, "gpu", str(error))
    known = found.identity()
    text = (f"{known.gpu}, compute capability {known.compute_capability}, driver {known.driver} "
            f"for CUDA up to {known.cuda_driver}, {fitting(known)}")  # fmt: skip
    memory = found.ask("MemoryInfo")
    if memory is not None and memory.free < FREE_SHARE * memory.total:
        text += f", {memory.free / GIB:.1f} of {memory.total / GIB:.1f} GiB free"
        return Line(WARNING, "gpu", text, "others use it (nvidia-smi): builds may fail and timings will be marked")
    return Line(OK, "gpu", text)


def fitting(known: Identity) -> str:
    """Name the wheels of TensorRT and torch that fit a GPU and its driver, or say why none do."""
    choice = install.fit(known.compute_capability, known.driver, known.gpu)
    if choice.environment == "cpu":
        return f"which no TensorRT of envs/ fits ({choice.reason.partition(': ')[2]})"
    wheels = pins(ROOT / f"envs/{choice.environment}.txt").items()
    named = [f"{name} {version}" for name, version in wheels if name.startswith(("tensorrt", "torch"))]
    return f"which {' and '.join(named)} fit (envs/{choice.environment}.txt)"


def usable(obstacle: Callable[[str], str | None] = registry.obstacle) -> dict[str, str | None]:
    """Return for each backend None when it can run here, else why not."""
    found: dict[str, str | None] = {}
    for backend in registry.ORDER:
        try:
            found[backend] = obstacle(backend)
        except Exception as error:  # a broken installation raises anything; the doctor is there to say so
            found[backend] = explain.explain(error).removeprefix("error: ")
    return found


def engines(obstacles: dict[str, str | None], without_gpu: bool = False) -> list[Line]:
    """Write a line for each backend; one that cannot run is missing only if no other can.

    without_gpu: TensorRT has nothing to run on, which is no fault.
    """
    some = None in obstacles.values()
    lines = []
    for backend, why_not in obstacles.items():
        if why_not is None:
            lines.append(Line(OK, backend, "can run here", UNSEEN if backend == "tensorrt" else ""))
        elif backend == "tensorrt" and some and without_gpu:
            lines.append(Line(OK, backend, "not for this machine: it needs a GPU from NVIDIA"))
        else:
            lines.append(Line(WARNING if some else MISSING, backend, why_not))
    return lines


def installed(name: str) -> str | None:
    """Return a package's version without its local part (2.13.0+cpu), None when it is not installed."""
    version = environment.installed(name)
    return version and version.split("+")[0]


def packages(folder: Path, find: Callable[[str], str | None] = installed) -> Line:
    """Compare what is installed with the environment in `folder` that it is nearest to."""
    different = {
        path: {name: (pin, find(name)) for name, pin in pins(path).items() if find(name) != pin}
        for path in sorted(folder.glob("[cg]pu*.txt"))
    }
    nearest = min(different, key=lambda path: len(different[path]))
    unlike = [f"{name} {found or 'missing'} (pinned {pin})" for name, (pin, found) in different[nearest].items()]
    name = f"{folder.name}/{nearest.name}"
    if not unlike:
        return Line(OK, "packages", f"as pinned in {name}")
    more = f" and {len(unlike) - 3} more" if len(unlike) > 3 else ""
    lacking = any(found is None for _pin, found in different[nearest].values())
    return Line(MISSING if lacking else WARNING, "packages", ", ".join(unlike[:3]) + more, f"pip install -r {name}")


def disk(free: int) -> Line:
    """Check the free bytes where the results go."""
    state = MISSING if free < LEAST_DISK else WARNING if free < DISK else OK
    wanted = f"the sample wants {LEAST_DISK / GIB:.0f} GiB, COCO {DISK / GIB:.0f}"
    return Line(state, "disk", f"{free / GIB:.1f} GiB free in {Path.cwd()}", "" if state == OK else wanted)


def memory(available: int | None) -> Line:
    """Check the bytes of memory that this process may still take; None where the system does not tell."""
    if available is None:
        return Line(WARNING, "memory", "this system does not tell", f"{MEMORY / GIB:.0f} GiB are wanted")
    text = f"{available / GIB:.1f} GiB available"
    if available < MEMORY:
        return Line(WARNING, "memory", text, f"{MEMORY / GIB:.0f} GiB are wanted: end other work, or use --cores 1")
    return Line(OK, "memory", text)


def available_memory(system: Path = Path("/")) -> int | None:
    """Read the bytes that are available: the machine's, or fewer where the container (cgroup) has a limit."""
    bounds = []
    if (meminfo := system / "proc/meminfo").is_file():
        found = re.search(r"^MemAvailable:\s+(\d+) kB", meminfo.read_text("utf-8"), re.MULTILINE)
        bounds += [1024 * int(found[1])] if found else []
    limit, used = system / "sys/fs/cgroup/memory.max", system / "sys/fs/cgroup/memory.current"
    if limit.is_file() and used.is_file() and limit.read_text("utf-8").strip().isdigit():
        bounds.append(max(int(limit.read_text("utf-8")) - int(used.read_text("utf-8")), 0))
    return min(bounds, default=None)


def config(files: list[str]) -> tuple[Line, Settings | None]:
    """Read the config as the run would: syntax, schema, and what config.read sees; None where it has a mistake."""
    try:
        import yaml
        from snakemake.exceptions import WorkflowError
        from snakemake.utils import update_config, validate

        from speedmap.run import config as settings
        from speedmap.run import config_files, mistakes
    except ImportError as error:
        return Line(MISSING, "config", f"cannot be read without {error.name}", "make table installs it"), None
    try:
        config_files.check_readable(files)
        given: dict = {}
        for file in files:
            update_config(given, yaml.safe_load(Path(file).read_text("utf-8")))
        merged = yaml.safe_load((ROOT / "config.yaml").read_text("utf-8"))  # as the Snakefile does
        update_config(merged, given)
        merged |= settings.replacing(given)
        mistakes.check(merged, SCHEMA, files)
        validate(merged, str(SCHEMA))  # which fills in the defaults
        chosen = settings.read(merged, files)
        settings.planned(chosen, files)
    except UserError as error:
        return Line(MISSING, "config", str(error)), None
    except (OSError, WorkflowError) as error:
        return Line(MISSING, "config", f"{', '.join(files)}: {error}", "correct it"), None
    return Line(OK, "config", f"{', '.join(files)}: {len(chosen.cells)} cells"), chosen


def report(files: list[str]) -> tuple[list[Line], bool]:
    """Check everything; returns the lines and whether any backend can run."""
    obstacles, on_gpu, (read, merged) = usable(), gpu(), config(files)
    lines = [
        python(), packages(ROOT / "envs"), on_gpu, *engines(obstacles, on_gpu.found.startswith("none")),
        disk(shutil.disk_usage(Path.cwd()).free), memory(available_memory()), read,
    ]  # fmt: skip
    able = None in obstacles.values()
    return [*lines, *(forecast.lines(merged, files) if merged and able else [])], able
