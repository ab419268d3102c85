"""The product over TensorRT's real Python bindings, without its libraries and a GPU, in processes of their own."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE, ROOT = Path(__file__).parent, Path(__file__).parents[2]
BINDINGS = Path(sys.prefix) / "surface"  # `make test` puts them there, where no other test can import them
VERSIONS = {
    "tensorrt-cu13-bindings==11.4.0.106": 110400,
    "tensorrt-cu12-bindings==10.16.1.11": 101601,
    "tensorrt-bindings==8.6.1": 8601,
}
CUDA = ("cuda-bindings==13.5.0", "cuda-bindings==12.9.4")
LIBRARIES = {
    "libnvinfer": ("createInferBuilder_INTERNAL", "createInferRefitter_INTERNAL", "createInferRuntime_INTERNAL",
                   "getBuilderPluginRegistry", "getPluginRegistry", "getInferLibVersion"),
    "libnvinfer_plugin": ("initLibNvInferPlugins",),
    "libnvonnxparser": ("createNvOnnxParser_INTERNAL", "createNvOnnxParserRefitter_INTERNAL", "getNvOnnxParserVersion"),
    "libnvparsers": ("_ZN11nvuffparser15createUffParserEv", "_ZN11nvuffparser8FieldMapC1EPKcPKvNS_9FieldTypeEi",
                     "_ZN14nvcaffeparser117createCaffeParserEv", "_ZN14nvcaffeparser123shutdownProtobufLibraryEv"),
}  # fmt: skip
PLANTED = {
    "a removed enum": "ProfilingVerbosity", "a removed member of an enum": "JSON", "a removed class": "attribute",
    "a removed method": "execute_async_v3", "a renamed method": "get_tensor_profile_shape",
    "a renamed keyword": "combine", "an argument more": "set_input_shape",
    "an argument less": "get_tensor_profile_shape", "a removed property": "execution_context",
    "a wrong return type": "got `array`", "a refused shape": "refuses the input shape",
    "a runtime that could not start": "the NVIDIA driver is older than this CUDA needs",
}  # fmt: skip
LEAN = "tensorrt-lean-cu13-libs==11.4.0.106"  # with -bindings of the same, by pip install --no-deps --target
COMPILER = shutil.which("cc")
pytestmark = pytest.mark.skipif(COMPILER is None, reason="the libraries that stand in need a C compiler (cc)")


def compiled(folder, name, source):
    (folder / "source.c").write_text(source)
    subprocess.run([COMPILER, "-w", "-shared", "-fPIC", "-o", folder / name, folder / "source.c", "-ldl"], check=True)


def environment(package, libraries):
    """Return the variables of a process that imports a package of BINDINGS over libraries in a folder."""
    if not any((BINDINGS / package).glob("*")):
        pytest.skip(
            f"nothing in {BINDINGS / package}: make test fills it, but not the lean runtime, nor 8.6 from Python 3.12"
        )
    paths = (BINDINGS / package, HERE, ROOT / "workflow/scripts")
    return {**os.environ, "LD_LIBRARY_PATH": str(libraries), "PYTHONPATH": os.pathsep.join(map(str, paths))}


@pytest.fixture(scope="session")
def driver(tmp_path_factory):
    folder = tmp_path_factory.mktemp("driver")
    compiled(folder, "libcuda.so.1", (HERE / "libcuda.c").read_text())
    return folder


@pytest.fixture(scope="session", params=VERSIONS)
def bindings(request, tmp_path_factory, driver):
    """Compile what a version's bindings open; returns the version and the environment of a process."""
    version, number, folder = (
        request.param.split("==")[1],
        VERSIONS[request.param],
        tmp_path_factory.mktemp("libraries"),
    )
    for library, symbols in LIBRARIES.items():
        values = {symbol: number if "Version" in symbol else 0 for symbol in symbols}
        source = "".join(f"long {symbol}() {{ return {value}; }}\n" for symbol, value in values.items())
        compiled(folder, f"{library}.so.{version.split('.')[0]}", source)
    return version, environment(request.param, f"{folder}:{driver}")


def test_cases(bindings):
    cases = map(str, sorted(HERE.glob("*_cases.py")))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--noconftest", *cases]
    done = subprocess.run(command, env=bindings[1], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout


@pytest.fixture(scope="session")
def driven(bindings, tmp_path_factory):
    """Drive with each mistake and with none; returns exit code and last line of each."""
    folder = tmp_path_factory.mktemp("driven")
    command = [sys.executable, str(HERE / "drive.py"), str(folder)]
    done = subprocess.run(command, env=bindings[1], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    codes = json.loads(done.stdout)
    assert codes.keys() == {"nothing", *PLANTED}
    return {plant: (code, (folder / plant).read_text().splitlines()[-1]) for plant, code in codes.items()}


def test_build_session_audit_and_doctor_call_what_is_there(bindings, driven):
    code, said = driven["nothing"]
    assert code == 0, said
    said = json.loads(said)
    assert said["version"] == bindings[0]
    assert said["types"] == ("weak" if bindings[0] == "8.6.1" else "strong")
    assert said["shares"] == {"fp16": 1.0}
    assert said["graphs"] == {"captured": 2, "refused": {}}
    assert said["usable"] is None


@pytest.mark.parametrize(("plant", "word"), PLANTED.items(), ids=PLANTED)
def test_a_planted_mistake_fails(driven, plant, word):
    code, said = driven[plant]
    assert code == 1
    assert word in said


USED = ROOT / "workflow/scripts/speedmap/engines/tensorrt/cuda.py"
CALLS = set(re.findall(r'self\.call\("(cu\w+)"', USED.read_text()))


@pytest.mark.parametrize("package", CUDA)
def test_a_cuda_call_that_fails_is_named(package, driver):
    command = [sys.executable, str(HERE / "drive_cuda.py"), *CALLS]
    done = subprocess.run(command, env=environment(package, driver), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["version"] == package.split("==")[1]
    assert said["whole"] == [[1, 2, 3, 4], 0.5]
    assert {"cuInit", "cuMemGetInfo", "cuGraphLaunch"} <= CALLS == said["errors"].keys()
    for call, error in said["errors"].items():
        assert error.startswith(f"{call}: CUDA_ERROR_OUT_OF_MEMORY (2)")


def test_the_tensorrt_and_cuda_that_are_installed_are_among_these():
    lists = "\n".join(path.read_text() for path in ROOT.glob("envs/gpu*.txt"))
    versions = {package.split("==")[1] for package in (*VERSIONS, *CUDA)}
    assert set(re.findall(r"^(?:tensorrt(?:-cu\d+)?|cuda-bindings)==(\S+)", lists, re.MULTILINE)) <= versions


def test_the_real_runtime_without_a_gpu_is_an_error_and_no_crash(tmp_path):
    """As it would be with a driver that is too old; fetched by hand, 45 MB: see LEAN."""
    if Path("/dev/nvidiactl").exists():
        pytest.skip("there is a GPU here")
    variables = environment(LEAN, tmp_path)
    command = [sys.executable, str(HERE / "drive_lean.py"), str(tmp_path / "engine")]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "the NVIDIA driver is older than this CUDA needs" in done.stdout
