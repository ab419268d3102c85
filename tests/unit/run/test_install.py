"""The environment chosen under the nvidia-smi of twelve machines and more, and what its installation says."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from speedmap.errors import UserError
from speedmap.machine.nvml import Identity
from speedmap.run import doctor, install
from speedmap.run.install import GB

OLD = 'Field "compute_cap" is not a valid field to query.'
MACHINES = {  # lines of nvidia-smi: index, uuid, compute_cap, driver_version, name
    "driver 470": (["470.256.02"], "cpu", "driver 470.256.02: TensorRT needs 535"),
    "driver 515": (["0, GPU-a, 8.6, 515.105.01, RTX 3090"], "cpu", "needs driver 535, better 580"),
    "driver 525": (["0, GPU-a, 8.6, 525.147.05, RTX 3090"], "cpu", "needs driver 535, better 580"),
    "driver 535": (["0, GPU-a, 8.6, 535.54.03, RTX 3090"], "gpu-cuda12", "RTX 3090"),
    "driver 570": (["0, GPU-a, 12.0, 570.86.10, RTX 5090"], "gpu-cuda12", "RTX 5090"),
    "driver 580": (["0, GPU-a, 12.0, 580.95.05, RTX 5090"], "gpu", "RTX 5090"),
    "compute 6.1": (["0, GPU-a, 6.1, 580.95.05, GTX 1080"], "cpu", "TensorRT needs 7.5"),
    "compute 7.5": (["0, GPU-a, 7.5, 580.95.05, RTX 2060"], "gpu", "compute capability 7.5"),
    "compute 8.6": (["0, GPU-a, 8.6, 580.95.05, RTX 3060"], "gpu", "compute capability 8.6"),
    "not told": (["0, GPU-a, [N/A], 580.95.05, Thor"], "cpu", "SPEEDMAP_ENV=gpu"),
    "no driver told": (["0, GPU-a, 8.6, [N/A], RTX 3060"], "cpu", "SPEEDMAP_ENV=gpu"),
    "two GPUs": (["0, GPU-a, 6.1, 580.1, GT 1030", "1, GPU-b, 8.9, 580.1, RTX 4090"], "gpu", "CUDA_VISIBLE_DEVICES=1"),
    "WSL": (["0, GPU-a, 8.6, 551.61, NVIDIA GeForce RTX 3060 Laptop GPU"], "gpu-cuda12", "Laptop"),
    "none": (None, "cpu", "no nvidia-smi"),
    "no driver": ([], "cpu", "nvidia-smi fails"),
}


def fake(folder, lines):
    """Put an nvidia-smi into a folder that knows no compute_cap where it is older, and fails where it has no lines."""
    if lines is None:
        return
    tool, known = folder / "nvidia-smi", lines and "," in lines[0]
    refusal = "" if known else f"case \"$1\" in *compute_cap*) echo '{OLD}'; exit 2;; esac\n"
    text = "".join(f"echo '{line}'\n" for line in lines) or "echo NVIDIA-SMI has failed; exit 9\n"
    tool.write_text(f"#!/bin/sh\n{refusal}{text}")
    tool.chmod(0o755)


def planned(folder, variables, *arguments):
    """Return what make would do, and what it says, on a machine whose only nvidia-smi is that of a folder."""
    for name in ("make", "sh"):
        (folder / name).symlink_to(f"/usr/bin/{name}")
    kept = {name: value for name, value in os.environ.items() if name in ("HOME", "LANG")}
    command = ["make", "--dry-run", "--always-make", f"VENV={folder}", f"PYTHON={sys.executable}", *arguments, "table"]
    done = subprocess.run(command, env={**kept, "PATH": str(folder), **variables}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


@pytest.mark.parametrize(("lines", "expected", "reason"), MACHINES.values(), ids=MACHINES)
def test_make_chooses_by_gpu_and_driver_and_says_why(tmp_path, lines, expected, reason):
    fake(tmp_path, lines)
    plan, said = planned(tmp_path, {})
    assert f"install.py {tmp_path} envs/{expected}.txt" in plan
    assert f"envs/{expected}.txt: " in said
    assert reason in said


@pytest.mark.parametrize("name", ["production", "dev"])
def test_a_common_variable_of_that_name_chooses_nothing(tmp_path, name):
    assert "envs/cpu.txt" in planned(tmp_path, {"ENV": name})[0]


def test_the_environment_can_be_named(tmp_path):
    fake(tmp_path, MACHINES["driver 580"][0])
    assert "envs/cpu.txt" in planned(tmp_path, {"SPEEDMAP_ENV": "cpu"})[0]
    (tmp_path / "make").unlink()
    (tmp_path / "sh").unlink()
    assert "envs/gpu-cuda12.txt" in planned(tmp_path, {}, "SPEEDMAP_ENV=gpu-cuda12")[0]


@pytest.mark.parametrize(
    ("visible", "expected"),
    [("0", "cpu"), ("1", "gpu"), ("GPU-b", "gpu"), ("", "cpu"), ("7", "cpu"), ("MIG-b", "cpu"), (None, "gpu")],
)
def test_only_visible_gpus_count(visible, expected):
    assert install.choose(MACHINES["two GPUs"][0], visible).environment == expected


def test_the_nvidia_smi_of_wsl_is_asked_where_it_is_on_no_path(tmp_path, monkeypatch):
    fake(tmp_path, MACHINES["WSL"][0])
    monkeypatch.setenv("PATH", str(tmp_path / "none"))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    for tool, expected in (("none", "cpu"), ("nvidia-smi", "gpu-cuda12")):
        monkeypatch.setattr(install, "WSL", tmp_path / tool)
        assert install.asked().environment == expected


@pytest.mark.parametrize("path", [Path("envs/gpu.txt"), Path("envs/gpu-cuda12.txt")], ids=lambda path: path.stem)
def test_what_is_fetched_is_said_with_its_size_and_room_is_demanded(tmp_path, path):
    said = "\n".join(install.announce(tmp_path, path, int(21 * GB)))
    assert "GB to fetch" in said
    assert f"tensorrt-cu{'13' if path.stem == 'gpu' else '12'} 11.4" in said
    with pytest.raises(UserError, match=r"needs 20 GB of room in .*, 3.0 GB are free; .*VENV="):
        list(install.announce(tmp_path, path, int(3 * GB)))


def test_what_is_there_needs_no_room(tmp_path):
    packages = tmp_path / "lib/python3.11/site-packages"
    for name, version in install.pins(Path("envs/gpu.txt")).items():
        (packages / f"{name.replace('-', '_')}-{version}.dist-info").mkdir(parents=True)
    assert list(install.announce(tmp_path, Path("envs/gpu.txt"), 0)) == []


def pip(folder, text):
    """Put a python into a virtual environment that is a shell script."""
    (folder / "bin").mkdir()
    (folder / "bin/python").write_text(f"#!/bin/sh\n{text}\n")
    (folder / "bin/python").chmod(0o755)


def test_pip_works_inside_the_virtual_environment_and_progress_is_shown(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(install, "PAUSE_S", 0.2)
    pip(tmp_path, 'head -c 20000000 /dev/zero > "$TMPDIR/wheel"; echo "$@" "$TMPDIR"; sleep 1')
    assert install.install(tmp_path, Path("envs/cpu.txt")) == 0
    said = capfd.readouterr()
    assert "--no-cache-dir -r envs/cpu.txt" in said.out
    assert f"{tmp_path}/tmp" in said.out
    assert "0.02 GB" in said.err
    assert not (tmp_path / "tmp").exists()


def test_a_failed_fetch_of_tensorrt_is_explained(tmp_path, monkeypatch, capfd):
    pip(tmp_path, "exit 3")
    monkeypatch.setattr(install.shutil, "disk_usage", lambda _path: SimpleNamespace(free=100 * GB))
    assert install.install(tmp_path, Path("envs/gpu.txt")) == 3
    assert "WHEEL_STUB_PIP_INDEX_URL" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("capability", "driver", "expected"),
    [
        ("8.6", "580.1", "tensorrt-cu13 11.4.0.106 fit (envs/gpu.txt)"),
        ("8.6", "550.1", "which torch 2.10.0 and tensorrt-cu12 11.4.0.106 fit (envs/gpu-cuda12.txt)"),
        ("6.1", "580.1", "no TensorRT of envs/ fits (TensorRT needs 7.5 (Turing) or newer)"),
        ("?", "580.1", "what it does not tell"),
    ],
)
def test_the_doctor_names_the_wheels_that_fit(capability, driver, expected):
    assert expected in doctor.fitting(Identity("RTX", capability, driver, "12.8"))


def test_what_is_installed_uncompiled_is_compiled_once_and_not_in_each_job():
    probe = ["make", "SPEEDMAP_ENV=cpu", "--eval", "probe:; @env", "probe"]
    variables = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(probe, env=variables, capture_output=True, text=True, check=True)
    assert "PYTHONUTF8=1" in done.stdout.splitlines()
    assert "PYTHONDONTWRITEBYTECODE" not in done.stdout
