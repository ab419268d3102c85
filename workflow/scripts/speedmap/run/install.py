"""Which environment fits this machine, and its installation: said beforehand, with room for it, and with progress.

Runs before anything is installed: the standard library only.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from speedmap.errors import UserError

QUERY = "index,uuid,compute_cap,driver_version,name"
OLDEST_GPU = 7.5  # compute capability of Turing, from which on TensorRT 10 and 11 run
DRIVERS = {"gpu": 580, "gpu-cuda12": 535}  # the least of the wheels for CUDA 13 and 12, by environment, best first
WSL = Path("/usr/lib/wsl/lib/nvidia-smi")  # not on every PATH under WSL2
GB = 1e9
# By package, what it and its dependencies take to fetch. torch: from PyTorch's CPU index 0.2 GB, for CUDA 4.1.
SIZES = {"tensorrt-cu13": "3.8 GB", "tensorrt-cu12": "4.3 GB", "torch": "0.2 GB (for a CPU) to 4.1 GB"}
ROOM = {"tensorrt": 20, "torch": 2}  # GB that must be free: fetched, built into a wheel, and 6.2 unpacked of TensorRT
BY_NVIDIA = "TensorRT's libraries come from NVIDIA in one piece, which is not resumed and heeds no pip setting"
HELP = "behind a proxy or mirror set https_proxy, SSL_CERT_FILE or WHEEL_STUB_PIP_INDEX_URL"
PAUSE_S = 15
NO_DRIVER = "no NVIDIA driver"


class Choice(NamedTuple):
    """The name of a list in envs/, and why."""

    environment: str
    reason: str


def fit(capability: str, driver: str, name: str) -> Choice:
    """Choose the environment for a GPU: its compute capability (8.6) and its driver (580.95.05) as nvidia-smi says."""
    device = f"{name} (compute capability {capability}, driver {driver})"
    if not (re.fullmatch(r"\d+\.\d+", capability) and re.match(r"\d+", driver)):
        return Choice("cpu", f"{device}: what it does not tell decides what runs on it; name it: SPEEDMAP_ENV=gpu")
    if float(capability) < OLDEST_GPU:
        return Choice("cpu", f"{device}: TensorRT needs {OLDEST_GPU} (Turing) or newer")
    major = int(re.match(r"\d+", driver)[0])
    for environment, least in DRIVERS.items():
        if major >= least:
            return Choice(environment, device)
    return Choice("cpu", f"{device}: TensorRT needs driver {min(DRIVERS.values())}, better {max(DRIVERS.values())}")


def choose(lines: list[str], visible: str | None = None) -> Choice:
    """Choose the environment for the best of the GPUs that nvidia-smi lists in the format of QUERY.

    visible: CUDA_VISIBLE_DEVICES, None where it is unset.
    """
    listed = [[field.strip() for field in line.split(",", 4)] for line in lines]
    gpus = [fields for fields in listed if len(fields) == 5 and (visible is None or _named(fields, visible))]
    if not gpus:
        text = f"CUDA_VISIBLE_DEVICES={visible} leaves no GPU" if visible is not None else "nvidia-smi lists no GPU"
        return Choice("cpu", text)
    order = [*DRIVERS, "cpu"]
    choices = [fit(*fields[2:]) for fields in gpus]
    best = min(range(len(gpus)), key=lambda position: order.index(choices[position].environment))
    hint = f"; GPU 0 does not fit, run with CUDA_VISIBLE_DEVICES={gpus[best][0]}" if best else ""
    return choices[best]._replace(reason=choices[best].reason + hint)


def _named(fields: list[str], visible: str) -> bool:
    index, uuid = fields[:2]
    names = [name.strip() for name in visible.split(",")]
    return any(name == index or (name.startswith("GPU-") and uuid.startswith(name)) for name in names)


def asked() -> Choice:
    """Choose the environment for this machine by what its nvidia-smi says."""
    tool = shutil.which("nvidia-smi") or (str(WSL) if WSL.exists() else None)
    if tool is None:
        return Choice("cpu", f"{NO_DRIVER}: there is no nvidia-smi")
    lines = _query(tool, QUERY)
    if lines is not None:
        return choose(lines, os.environ.get("CUDA_VISIBLE_DEVICES"))
    drivers = _query(tool, "driver_version")  # drivers before 510 know no compute_cap
    if drivers and re.match(r"\d+", drivers[0]):
        return Choice("cpu", f"driver {drivers[0]}: TensorRT needs {min(DRIVERS.values())} or newer; update it")
    return Choice("cpu", "nvidia-smi fails: the driver does not run; what it says tells why")


def _query(tool: str, fields: str) -> list[str] | None:
    command = [tool, f"--query-gpu={fields}", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.splitlines()


def pins(path: Path) -> dict[str, str]:
    """Read {package: version} off a list of pins and the lists that it includes."""
    versions: dict[str, str] = {}
    for line in path.read_text("utf-8").splitlines():
        if line.startswith("-r "):
            versions |= pins(path.parent / line.removeprefix("-r ").strip())
        elif match := re.match(r"([\w.-]+)==([^\s;]+)", line):
            versions[match[1]] = match[2]
    return versions


def large(venv: Path, listed: dict[str, str]) -> dict[str, str]:
    """Return those of the pins in SIZES that are not installed in a virtual environment."""
    wanted = {name: version for name, version in listed.items() if name in SIZES}
    stems = {name: f"lib/python3*/site-packages/{name.replace('-', '_')}-{wanted[name]}*.dist-info" for name in wanted}
    return {name: version for name, version in wanted.items() if not any(venv.glob(stems[name]))}


def announce(venv: Path, path: Path, free: int) -> Iterator[str]:
    """Return what will be fetched and how large it is; UserError where `free` bytes are too few."""
    missing = large(venv, pins(path))
    tensorrt = any(name.startswith("tensorrt") for name in missing)
    for name, version in missing.items():
        yield f"{name} {version} and what it needs: {SIZES[name]} to fetch"
    needed = ROOM["tensorrt" if tensorrt else "torch"] if missing else 0
    if free < needed * GB:
        raise UserError(
            f"{path}: needs {needed} GB of room in {venv}, {free / GB:.1f} GB are free; free some, put the virtual "
            "environment elsewhere (make VENV=/large/folder ...), or take SPEEDMAP_ENV=cpu"
        )
    if tensorrt:
        yield f"{BY_NVIDIA}: it can take long"


def install(venv: Path, path: Path) -> int:
    """Install a list of pins into a virtual environment with progress; returns pip's exit code."""
    temporary, missing = venv / "tmp", large(venv, pins(path))
    for line in announce(venv, path, shutil.disk_usage(venv).free):
        print(line, flush=True)
    cache = ["--no-cache-dir"] if missing else []  # else each wheel is kept once more
    pip = [str(venv / "bin/python"), "-m", "pip", "install", "--disable-pip-version-check"]
    command = [*pip, "--no-compile", *cache, "-r", str(path)]  # what is imported is compiled then: half the time
    temporary.mkdir(exist_ok=True)  # /tmp is often a small tmpfs, and pip builds wheels of gigabytes there
    try:
        code = _watched(command, temporary)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    if code and any(name.startswith("tensorrt") for name in missing):
        print(f"{BY_NVIDIA}; {HELP}", file=sys.stderr)
    return code


def _watched(command: list[str], temporary: Path) -> int:
    """Run pip and print from time to time how much lies in its temporary folder: what builds fetch, pip hides."""
    with subprocess.Popen(command, env={**os.environ, "TMPDIR": str(temporary.absolute())}) as process:
        while True:
            try:
                return process.wait(PAUSE_S)
            except subprocess.TimeoutExpired:
                print(f"... {_size(temporary) / GB:.2f} GB fetched and unpacked so far", file=sys.stderr, flush=True)


def _size(folder: Path) -> int:
    sizes = (Path(place, name) for place, _, names in os.walk(folder) for name in names)
    return sum(path.lstat().st_size for path in sizes if path.exists())
