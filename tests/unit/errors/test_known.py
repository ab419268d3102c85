"""Every entry of the catalogue against messages as they were recorded, each with where it was seen."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from speedmap.errors import UserError, explain
from speedmap.errors import known as catalogue
from speedmap.run.job import job

HERE = "produced here"  # by the versions pinned in envs/, from a file made for it

# where (a thread on github.com), the message, words of its cause
RECORDED = [
    ("hpcaitech/Open-Sora/issues/663",
     "OSError: [Errno 28] No space left on device",
     "disk is full"),
    ("Megvii-BaseDetection/YOLOX/issues/23",
     "PermissionError: [Errno 13] Permission denied: '/data'",
     "may not be read"),
    ("commonsense/conceptnet5/issues/162",
     "Command ' set -euo pipefail;  cn5-db prepare_data data/assertions/assertions.msgpack data/psql ' "
     "returned non-zero exit status 137.",
     "killed"),
    ("RTXteam/RTX/issues/1117",
     "/bin/bash: line 1:  6245 Killed                  /home/ubuntu/kg2-venv/bin/python3",
     "killed"),
    ("jdblischak/smk-simple-slurm/issues/29",
     "slurmstepd: error: Detected 1 oom_kill event in StepId=65138579.batch. Some of the step tasks have been "
     "OOM Killed.",
     "killed"),
    ("jdblischak/smk-simple-slurm/issues/29",
     "State: OUT_OF_MEMORY (exit code 0)",
     "killed"),
    (HERE,
     "Command 'set -euo pipefail;  python /tmp/x/.snakemake/scripts/tmpqtb4kzxw.calibrate.py' died with "
     "<Signals.SIGKILL: 9>.",
     "killed"),
    (HERE,
     "Command 'set -euo pipefail;  python /tmp/x/.snakemake/scripts/tmpqtb4kzxw.calibrate.py' died with "
     "<Signals.SIGTERM: 15>.",
     "ended from outside"),
    (HERE,
     "Command 'set -euo pipefail;  python /tmp/x/.snakemake/scripts/tmpqtb4kzxw.calibrate.py' died with "
     "<Signals.SIGSEGV: 11>.",
     "a library crashed"),
    ("mxfold/mxfold2/issues/20",
     "RuntimeError: [enforce fail at alloc_cpu.cpp:75] err == 0. DefaultCPUAllocator: can't allocate memory: "
     "you tried to allocate 132426121216 bytes. Error code 12 (Cannot allocate memory)",
     "machine's memory"),
    (HERE,
     "_ArrayMemoryError: Unable to allocate 8.00 PiB for an array with shape (1125899906842624,) and data type "
     "float64",
     "machine's memory"),
    (HERE,
     "RuntimeError: Exception from src/inference/src/cpp/core.cpp:117: Exception from src/inference/src/dev/plugin.cpp:"
     "54: Check 'ptr' failed at src/plugins/intel_cpu/src/cpu_memory.cpp:257: Failed to allocate 2582118400 bytes of "
     "memory",
     "machine's memory"),
    (HERE,
     "ImportError: algos.cpython-311-x86_64-linux-gnu.so: failed to map segment from shared object",
     "machine's memory"),
    (HERE,
     "2: [builder.cpp::createCaskKernelLibraryImpl::182] Error Code 2: Internal Error (Assertion "
     "validateCaskKLibDigest(sha256sum) failed. )",
     "builder resource"),
    ("wang-xinyu/tensorrtx/issues/1205",
     "[E] [TRT] 6: [libLoader.h::DynamicLibrary::50] Error Code 6: Internal Error (Unable to load library: "
     "libnvinfer_builder_resource.so.8.4.1)",
     "builder resource"),
    ("NVIDIA/TensorRT/issues/3983",
     "IBuilder::buildSerializedNetwork: Error Code 6: API Usage Error (Unable to load library: "
     "libnvinfer_builder_resource_win.so.10.2.0: libnvinfer_builder_resource_win.so.10.2.0: cannot open shared "
     "object file: No such file or directory)",
     "builder resource"),
    ("wang-xinyu/tensorrtx/issues/1501",
     "ImportError: libnvinfer.so.8: cannot open shared object file: No such file or directory",
     "library of TensorRT"),
    ("pythonlessons/TensorFlow-2.x-YOLOv3/issues/105",
     "Could not load dynamic library 'libnvinfer.so.6'; dlerror: libnvinfer.so.6: cannot open shared object "
     "file: No such file or directory",
     "library of TensorRT"),
    ("NVIDIA/TensorRT/issues/3402",
     "Uncaught exception detected: Unable to open library: libnvinfer_plugin.so.8 due to "
     "/home/cwang/work/depend/TensorRT-8.6.0.12/targets/x86_64-linux-gnu/lib/libnvinfer_plugin.so.8: file too "
     "short",
     "library of TensorRT"),
    ("TinyLLaVA/TinyLLaVA_Factory/issues/134",
     "Could not load library libcudnn_cnn_infer.so.8. Error: libcuda.so: cannot open shared object file: No "
     "such file or directory",
     "no NVIDIA driver or GPU"),
    ("princeton-nlp/SimCSE/issues/244",
     "RuntimeError: Found no NVIDIA driver on your system. Please check that you have an NVIDIA GPU and "
     "installed a driver",
     "no NVIDIA driver or GPU"),
    ("Grace9994/CoMoSVC/issues/6",
     "RuntimeError: No CUDA GPUs are available",
     "no NVIDIA driver or GPU"),
    ("NVIDIA/TensorRT/issues/2879",
     "[W] [TRT] CUDA initialization failure with error: 35. Please check your CUDA installation:  "
     "http://docs.nvidia.com/cuda/cuda-installation-guide-linux/index.html",
     "driver is older"),
    ("onnxruntime/mobius/issues/316",
     "CUDA failure 35: CUDA driver version is insufficient for CUDA runtime version ; GPU=-1",
     "driver is older"),
    ("lllyasviel/Fooocus/issues/1313",
     "RuntimeError: The NVIDIA driver on your system is too old (found version 11040). Please update your GPU "
     "driver",
     "driver is older"),
    ("NVIDIA/TensorRT/issues/985",
     "[TensorRT] ERROR: safeContext.cpp (184) - Cudnn Error in configure: 7 (CUDNN_STATUS_MAPPING_ERROR)",
     "two owners"),
    ("NVIDIA/TensorRT/issues/4191",
     "IExecutionContext::enqueueV3: Error Code 1: Cuda Runtime (invalid resource handle)",
     "two owners"),
    ("NVIDIA/TensorRT/issues/4518",
     "[TRT] [E] IExecutionContext::enqueueV3: Error Code 1: Cask (Cask convolution execution)",
     "two owners"),
    ("inducer/pycuda/issues/74",
     "terminate called after throwing an instance of 'pycuda::error' what():  explicit_context_dependent "
     "failed: invalid context - no currently active context?",
     "two owners"),
    ("QwenAudio/CosyVoice/issues/1600",
     "[TRT] [E] 6: The engine plan file is generated on an incompatible device, expecting compute 9.0 got "
     "compute 8.9, please rebuild.",
     "another GPU"),
    ("NVIDIA/TensorRT/issues/2900",
     "Using an engine plan file across different models of devices is not recommended and is likely to affect "
     "performance or even cause errors",
     "another GPU"),
    ("RootKit-Org/AI-Aimbot/issues/109",
     "[TRT] [E] 6: The engine plan file is not compatible with this version of TensorRT, expecting library "
     "version 8.5.1.7 got 8.5.3.1, please rebuild.",
     "another version of TensorRT"),
    ("NVIDIA/TensorRT/issues/3898",
     "Error Code 1: Serialization (Serialization assertion stdVersionRead == serializationVersion "
     "failed.Version tag does not match. Note: Current Version: 236, Serialized Engine Version: 237)",
     "another version of TensorRT"),
    # an engine of 8.6.1, version compatible, on an H100; 11.4.0.106 says the same
    ("the lean runtime of TensorRT 10.16.1.11",
     "IRuntime::deserializeCudaEngine: Error Code 1: Internal Error (Failed due to an old deserialization call on a "
     "newer plan file. This might happen when the plan file was built from an older TensorRT version. You can use "
     "`trtexec --getPlanVersionOnly` to check the version of TensorRT that was used to create the plan file. In "
     "deserializeEngine at /_src/runtime/api/engine.cpp:1518) | cannot deserialize the engine",
     "another version of TensorRT"),
    ("NVIDIA/TensorRT/issues/1384",
     "coreReadArchive.cpp (31) - Serialization Error in verifyHeader: 0 (Magic tag does not match)",
     "no engine"),
    ("ultralytics/ultralytics/issues/3080",
     "Error Code 1: Serialization (Serialization assertion magicTagRead == magicTag failed.Magic tag does not "
     "match)",
     "no engine"),
    ("NVIDIA/TensorRT/issues/2915",
     "[runtime.cpp::parsePlan::314] Error Code 1: Serialization (Serialization assertion plan->header.magicTag "
     "==rt::kPLAN_MAGIC_TAG failed.)",
     "no engine"),
    ("NVIDIA/TensorRT/issues/2739",
     "condition: profileMaxDims.d[i] >= dimensions.d[i]. Supplied binding dimension [10,3,128,64] for "
     "bindings[0] exceed min ~ max range at index 0, maximum dimension in profile is 1, minimum dimension in "
     "profile is 1, but supplied dimension is 10.",
     "outside of the dimensions"),
    ("NVIDIA/TensorRT-LLM/issues/1332",
     "Error Code 3: API Usage Error (Parameter check failed at: "
     "runtime/api/executionContext.cpp::setInputShape::2309, condition: satisfyProfile Runtime dimension does "
     "not satisfy any optimization profile.)",
     "outside of the dimensions"),
    ("QwenAudio/CosyVoice/issues/901",
     "condition: engineDims.d[i] == dims.d[i] Static dimension mismatch while setting input shape.)",
     "outside of the dimensions"),
    ("wang-xinyu/tensorrtx/issues/578",
     "[W] [TRT] Missing dynamic range for tensor (Unnamed Layer* 193) [ElementWise]_output copy, expect fall "
     "back to non-int8 implementation for any layer consuming or producing given tensor",
     "INT8 ranges"),
    ("NVIDIA/TensorRT/issues/2462",
     "Missing scale and zero-point for tensor 768, expect fall back to non-int8 implementation for any layer "
     "consuming or producing given tensor",
     "INT8 ranges"),
    ("NVIDIA/TensorRT/issues/2865",
     "Calibration failure occurred with no scaling factors detected. This could be due to no int8 calibrator "
     "or insufficient custom scales",
     "INT8 ranges"),
    ("marcoslucianops/DeepStream-Yolo/issues/366",
     "ERROR: [TRT]: 2: [virtualMemoryBuffer.cpp::resizePhysical::160] Error Code 2: OutOfMemory (no further "
     "information)",
     "too small for the build"),
    ("NVIDIA-AI-IOT/torch2trt/issues/661",
     "[TensorRT] ERROR: Requested amount of memory (150994944 bytes) could not be allocated. There may not be "
     "enough free memory for allocation to succeed.",
     "too small for the build"),
    ("enazoe/yolo-tensorrt/issues/169",
     "WARNING: Skipping tactic 1 due to insuficient memory on requested size of 4294967296 detected for tactic "
     "0.",
     "too small for the build"),
    ("YingqianWang/iPASSR/issues/9",
     "torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate 10.73 GiB (GPU 0; 8.00 GiB total "
     "capacity",
     "too small for the run"),
    ("microsoft/onnxruntime/issues/10770",
     "../rtSafe/safeRuntime.cpp (25) - Cuda Error in allocate: 2 (out of memory)",
     "too small for the run"),
    # our own run on an H100 whose memory another job held
    (HERE,
     "model.onnx with TensorRT 8.6.1: [myelinCache.h::deserializeFromBuffer::52] Error Code 1: Myelin (Myelin "
     "error from unknown graph) | 10: Could not find any implementation for node ...",
     "could not try the kernels"),
    ("NVIDIA/TensorRT/issues/4673",
     "Could not find any implementation for node {ForeignNode[3001...Add_1839]}",
     "could not try the kernels"),
    (HERE,
     "ValidationError: Data of TensorProto ( tensor name: w) should be file inside '/tmp/a', but "
     "'../secret.bin' points outside the directory.",
     "outside of its own folder"),
    (HERE,
     "Fail: [ONNXRuntimeError] : 1 : FAIL : External data path validation failed for initializer: w. Error: "
     "External data path escapes model directory.",
     "outside of its own folder"),
    (HERE,
     "RuntimeError: Path '../secret.bin' resolves to '/tmp/secret.bin' which is outside the base directory "
     "'/tmp/a'",
     "outside of its own folder"),
    ("onnx/onnx/issues/5763",
     "[ONNXRuntimeError] : 7 : INVALID_PROTOBUF : Load model from detector.onnx failed:Protobuf parsing failed.",
     "truncated or no ONNX file"),
    (HERE,
     "DecodeError: Error parsing message with type 'onnx.ModelProto': Wire format was corrupt",
     "truncated or no ONNX file"),
    (HERE,
     'Unable to read the model: "bad.onnx" Please check that model format: ".onnx" is supported and the model '
     "is correct.",
     "truncated or no ONNX file"),
    (HERE,
     "SafetensorError: Error while deserializing header: incomplete metadata, file not fully covered",
     "weights file is truncated"),
    (HERE,
     "Check 'requirements_magic == runtime_requirements_magic' failed at "
     "src/plugins/intel_cpu/src/plugin.cpp:789:\n[CPU] Cannot import compiled blob: incompatible runtime "
     "requirements magic.",
     "another OpenVINO"),
    ("NVIDIA/Model-Optimizer/issues/454",
     "[E] [TRT] ModelImporter.cpp:776: ERROR: builtin_op_importers.cpp:1197 In function QuantDequantLinearHelper:  \n"
     '[6] Assertion failed: scaleAllPositive && "Scale coefficients must all be positive"',
     "cannot take the Q/DQ"),
    ("NVIDIA/TensorRT/issues/3848",
     "Error Code 1: Serialization (Serialization assertion sizeRead == static_cast<uint64_t>(mEnd - mCurrent) "
     "failed.Size specified in header does not match archive size)",
     "no engine"),
]  # fmt: skip

UNRELATED = [
    "",
    "KeyError: 'images'",
    "ValueError: operands could not be broadcast together with shapes (3,) (4,)",
    "FileNotFoundError: [Errno 2] No such file or directory: 'results/table.md'",
    "AttributeError: 'NoneType' object has no attribute 'shape'",
    "ModuleNotFoundError: No module named 'tensorrt'",
    "returned non-zero exit status 1.",
    "IndexError: list index out of range",
    "[TRT] [I] [MemUsageChange] Init CUDA: CPU +571, GPU +0, now: CPU 801, GPU 369 (MiB)",
    "[TRT] [W] onnx2trt_utils.cpp:391: One or more weights outside the range of INT32 was clamped",
    "json.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0)",
]


@pytest.mark.parametrize(("where", "message", "cause"), RECORDED, ids=[where for where, *_ in RECORDED])
def test_a_recorded_message_is_explained(where, message, cause):
    known = catalogue.explain(message)
    assert known is not None, where
    assert cause in known.cause


@pytest.mark.parametrize("message", UNRELATED)
def test_unrelated_messages_match_nothing(message):
    assert catalogue.explain(message) is None


def test_every_entry_has_a_recorded_message():
    seen = {catalogue.explain(message) for _where, message, _cause in RECORDED}
    assert [known.cause for known in catalogue.CATALOGUE if known not in seen] == []


def test_every_entry_is_one_line_with_a_remedy():
    for known in catalogue.CATALOGUE:
        assert known.remedy
        assert "\n" not in known.cause + known.remedy
        assert not (known.cause + known.remedy).endswith(".")


def test_explanations_are_not_explained_again():
    # The log of a job holds the explanation too, and must not be taken for another fault.
    for known in catalogue.CATALOGUE:
        assert catalogue.explain(f"{known.cause}; {known.remedy}") in (None, known)


def test_a_message_for_users_stays_as_it_is():
    assert explain.explain(UserError("a: CUDA out of memory; b")) == "error: a: CUDA out of memory; b"


def test_an_unknown_error_is_named():
    assert explain.explain(ValueError("so")) == "error: unexpected ValueError: so"


def test_a_known_error_gives_cause_remedy_and_its_first_line():
    said = explain.explain(OSError(28, "No space left on device"))
    assert said.startswith("error: the disk is full")
    assert said.endswith("(OSError: [Errno 28] No space left on device)")
    assert "\n" not in explain.explain(RuntimeError("CUDA out of memory.\nsecond line"))


def test_an_error_without_a_message_is_known_by_its_type():
    assert "(MemoryError: no message)" in explain.explain(MemoryError())


def raised(first, then, cause=False):
    try:
        try:
            raise first
        except Exception as error:
            if cause:
                raise then from error
            raise then  # noqa: B904
    except Exception as error:
        return error


@pytest.mark.parametrize("cause", [True, False])
def test_the_first_of_a_chain_counts(cause):
    error = raised(RuntimeError("CUDA out of memory"), OSError(28, "No space left on device"), cause)
    assert "(RuntimeError: CUDA out of memory)" in explain.explain(error)


def test_what_was_suppressed_does_not_count():
    error = raised(RuntimeError("CUDA out of memory"), ValueError("so"))
    error.__suppress_context__ = True
    assert explain.explain(error) == "error: unexpected ValueError: so"


def test_a_closed_chain_ends():
    first, second = ValueError("a"), ValueError("b")
    first.__context__, second.__context__ = second, first
    assert explain.explain(first) == "error: unexpected ValueError: a"


def test_what_a_command_said_counts():
    error = subprocess.CalledProcessError(1, "x", stderr=b"cp: error writing: No space left on device")
    assert "the disk is full" in explain.explain(error)


def test_notes_count():
    error = RuntimeError("build failed")
    error.add_note("[E] Error Code 2: OutOfMemory (no further information)")
    assert "too small for the build" in explain.explain(error)


def test_a_job_says_it_last_in_its_log(tmp_path, capsys):
    log = tmp_path / "log"
    with pytest.raises(SystemExit) as end, job(str(log)):
        raise RuntimeError("CUDA out of memory")
    assert end.value.code == 1
    assert log.read_text().splitlines()[-1] == capsys.readouterr().err.strip()
    assert "too small for the run" in log.read_text()


def test_a_killed_job_is_explained_by_its_step():
    log = "\n".join(message for _where, message, _cause in RECORDED if "Signals.SIGKILL" in message) * 2
    (said,) = explain.killed(log)
    assert said.startswith("error: calibrate: the job was killed, most likely because the memory")
    assert said.endswith("(died with <Signals.SIGKILL: 9>)")
    assert explain.killed("Finished jobid: 0") == []


SCRIPTS = Path(__file__).parents[3] / "workflow/scripts"


ADAPTERS = sorted(path.name for path in SCRIPTS.glob("*.py") if ", snakemake" in path.read_text())


@pytest.mark.parametrize("script", ADAPTERS)
def test_every_adapter_explains_what_ends_it(script):
    assert f"\n    run_step({script.removesuffix('.py')}, snakemake" in (SCRIPTS / script).read_text()


def test_a_library_that_cannot_be_loaded_is_explained_before_the_job_begins(tmp_path):
    missing = "libnvinfer.so.8: cannot open shared object file: No such file or directory"
    (tmp_path / "cv2.py").write_text(f"raise ImportError({missing!r})")
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{SCRIPTS}"}
    command = [sys.executable, SCRIPTS / "check_dataset.py"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: a library of TensorRT (libnvinfer,")
