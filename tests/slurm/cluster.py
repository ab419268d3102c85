"""A SLURM of several nodes on one machine, on loopback only: munged, slurmctld, and a slurmd a node."""

import getpass
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

NODES = 3
PORT = 17320  # of the controller; the nodes' follow
CONFIG = """\
ClusterName=speedmap
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
SlurmdTimeout=10
ReturnToService=0
MinJobAge=7200
JobRequeue=0
GresTypes=gpu
AccountingStorageType=accounting_storage/none
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
NODE = (
    "NodeName=n{number} NodeHostname=localhost NodeAddr=127.0.0.1 Port={port} CPUs=4 RealMemory=64000 Gres=gpu:h100:1\n"
)


@contextmanager
def cluster(nodes: int = NODES) -> Iterator[dict[str, subprocess.Popen]]:
    """Start the daemons and point SLURM_CONF at them; yields each node's slurmd by its name. Ends all of them."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="slurm")))
        folder.chmod(0o755)
        _configure(folder, nodes)
        os.environ["SLURM_CONF"] = str(folder / "slurm.conf")
        os.environ["PATH"] = f"{folder}:{os.environ['PATH']}"
        files = {"socket": "socket", "key-file": "key", "pid-file": "pid", "seed-file": "seed", "log-file": "log"}
        options = [f"--{option}={folder}/munge.{suffix}" for option, suffix in files.items()]
        stack.enter_context(_daemon("munged", "--foreground", *options))
        _wait(lambda: (folder / "munge.socket").exists(), "munged")
        stack.enter_context(_daemon("slurmctld", "-D"))
        started = {f"n{number}": stack.enter_context(_daemon("slurmd", "-D", "-N", f"n{number}"))
                   for number in range(1, nodes + 1)}  # fmt: skip
        _wait(lambda: states() == {name: "idle" for name in started}, "slurmd")
        try:
            yield started
        finally:
            subprocess.run(["scancel", f"--user={getpass.getuser()}"], check=False)
            with suppress(TimeoutError):  # a node that is gone ends nothing
                _wait(lambda: not _asked("squeue", "-h"), "scancel", 30)


def _configure(folder: Path, nodes: int) -> None:
    for name in ("state", *(f"n{number}" for number in range(1, nodes + 1))):
        (folder / name).mkdir()
    key = folder / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)
    text = CONFIG.format(folder=folder, user=getpass.getuser(), port=PORT)
    text += "".join(NODE.format(number=number, port=PORT + number) for number in range(1, nodes + 1))
    (folder / "slurm.conf").write_text(text)
    # The plugin takes every SLURM_ variable from srun, and there is no configuration in SLURM's usual place.
    (folder / "srun").write_text(f'#!/bin/sh\nSLURM_CONF={folder}/slurm.conf exec {shutil.which("srun")} "$@"\n')
    (folder / "srun").chmod(0o755)
    (folder / "gres.conf").write_text(f"NodeName=n[1-{nodes}] Name=gpu Type=h100 File=/dev/null\n")


@contextmanager
def _daemon(*command: str) -> Iterator[subprocess.Popen]:
    """Run a daemon in the foreground, and end it."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def states() -> dict[str, str]:
    """Ask the controller for the state of each node."""
    return dict(line.split() for line in _asked("sinfo", "-N", "-h", "-o", "%N %t"))


def _asked(*command: str) -> list[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()


def _wait(ready, what: str, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            raise TimeoutError(f"{what} is not ready after {seconds:.0f} s: {states()}")
        time.sleep(0.3)
