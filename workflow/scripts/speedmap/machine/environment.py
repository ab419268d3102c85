"""What a measurement ran on."""

import os
import platform as python_platform
import re
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from speedmap.errors import UserError

PACKAGES = (
    "torch", "onnx", "onnxruntime", "onnxslim", "openvino", "tensorrt", "tensorrt-bindings", "tensorrt-cu13",
    "tensorrt-cu12", "polygraphy", "cuda-bindings", "numpy", "opencv-python-headless", "pycocotools", "snakemake",
)  # fmt: skip

CODE = ("--", ":(top)", ":(top,exclude)results/published")  # which publishing itself changes
VARIABLES = ("SPEEDMAP_COMMIT", "GITHUB_SHA", "CI_COMMIT_SHA")  # by hand, GitHub, GitLab


@cache
def cpu_name() -> str:
    """Name the processor and its cores: two machines of one name may differ in their number."""
    text = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    name = found[1].strip() if found else python_platform.processor() or python_platform.machine()
    return f"{name} ({physical_cores()} cores)"


def physical_cores(system: Path = Path("/")) -> int:
    """Count the cores that this process may use, hyper-threads of one core counted once.

    Of a container (cgroup) with a quota of processor time, the cores that it pays for.
    """
    allowed = os.sched_getaffinity(0)
    siblings = {_siblings(cpu) for cpu in allowed}
    limit = system / "sys/fs/cgroup/cpu.max"
    quota, period = limit.read_text().split() if limit.exists() else ("max", "")
    return len(siblings) if quota == "max" else max(1, min(len(siblings), int(quota) // int(period)))


def _siblings(cpu: int) -> str:
    path = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
    return path.read_text().strip() if path.exists() else str(cpu)


def cpu_platform(package: str) -> dict[str, str | None]:
    """Return what an engine of a package that runs on the CPU depends on: the processor and the package's version."""
    return {"device": cpu_name(), package: installed(package)}


def installed(package: str) -> str | None:
    """Return the version of a package, None when it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that a figure can depend on."""
    known = {package: installed(package) for package in PACKAGES}
    return {"python": python_platform.python_version(), **{name: text for name, text in known.items() if text}}


def commit() -> dict:
    """Name the commit of this clone and whether its files differ from it.

    Outside of a clone, the commit that one of VARIABLES names, of which nobody knows whether files were changed since;
    `commit_from` tells which it was. Empty if neither is there. Raises UserError for a variable that names no commit.
    """
    git = ["git", "-C", str(Path(__file__).parent)]
    try:
        _output([*git, "ls-files", "--error-unmatch", __file__])  # else the clone around is of something else
        head, changed = _output([*git, "rev-parse", "HEAD"]), _output([*git, "status", "--porcelain", "-uno", *CODE])
    except (OSError, subprocess.CalledProcessError):
        return _named()
    return {"commit": head, "commit_from": "git", "dirty": bool(changed)}


def _output(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _named() -> dict:
    name = next((name for name in VARIABLES if os.environ.get(name)), None)
    if name is None:
        return {}
    if not re.fullmatch("[0-9a-f]{40}", os.environ[name]):
        raise UserError(f"{name}={os.environ[name]} names no commit; set it to all 40 digits, or unset it")
    return {"commit": os.environ[name], "commit_from": name}


def capture(engine_platform: dict) -> dict:
    """Describe the machine and the software, for a record."""
    return {
        "cpu": cpu_name(),
        "system": python_platform.platform(),
        "versions": versions(),
        "platform": engine_platform,
        **commit(),
    }
