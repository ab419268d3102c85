"""Messages of the libraries that are hard to act on as they stand, each with its cause and remedy.

Where each was seen stands beside its recorded text in tests/unit/errors/test_known.py.
"""

import re
from typing import NamedTuple

from speedmap.errors import anew


class Known(NamedTuple):
    """A message that is understood: the pattern that finds it, why it comes, and what to do about it."""

    pattern: re.Pattern
    cause: str
    remedy: str


REBUILD = anew("PATH")
INSTALL = "install envs/gpu.txt anew in an empty environment"

# The first that matches counts: a cause stands before what follows from it, the special before the general.
MESSAGES = {
    r"No space left on device|Errno 28\b|Disk quota exceeded|File too large": (
        "the disk is full, or the temporary folder or a quota is",
        "free space, or set TMPDIR to a folder with space; the same command then goes on",
    ),
    r"\bPermissionError\b|Errno (13|30)\b": (
        "a file or folder may not be read, or not be written to",
        "run as its owner, or change its permissions; the same command then goes on",
    ),
    r"exit (status|code) (137|-9)\b|SIGKILL|oom[-_]kill|\d:\s+\d+ Killed|signal: Killed|State: OUT_OF": (
        "the job was killed, most likely because the memory of the machine or its container ran out",
        "give it more memory or run with fewer --cores; the same command then goes on",
    ),
    r"Signals\.SIG(TERM|INT|HUP|XCPU)": (
        "the job was ended from outside: by a person, a time limit or a shutdown",
        "give the same command again, which goes on from there",
    ),
    r"Signals\.SIG(SEGV|ABRT|BUS|ILL|FPE)": (
        "a library crashed: it does not fit this machine or the others, or a file that it read is damaged",
        "install envs/ anew in an empty environment; let what the step reads below results/ be made anew; report it if "
        "neither helps",
    ),
    r"\bMemoryError\b|DefaultCPUAllocator|\bbad_alloc\b|(Unable|Failed) to allocate [\d.]+|Errno 12\b|map segment": (
        "the machine's memory is too small for this step, or other processes hold it",
        "end other work, run with fewer --cores, or take a smaller batch; if the number asked for is absurd, the input "
        "file is damaged",
    ),
    r"(open|load) library:? '?\S*nvinfer\w*builder_resource|KLibDigest": (
        "TensorRT's builder resource is missing, damaged, or of another version than libnvinfer",
        f"keep one TensorRT: take others off LD_LIBRARY_PATH and {INSTALL}",
    ),
    r"lib(nvinfer|nvonnxparser|nvparsers)\w*\.so[.\d]*'?(: cannot open shared| due to |;)": (
        "a library of TensorRT (libnvinfer, its plugins or parser) is missing, damaged or of another major version",
        f"{INSTALL}, or put the lib folder of that TensorRT on LD_LIBRARY_PATH",
    ),
    r"libcuda\.so[.\d]*: cannot open shared|no CUDA-capable|ERROR_NO_DEVICE|No CUDA GPUs are avail|no NVIDIA driver": (
        "no NVIDIA driver or GPU is visible here",
        "check nvidia-smi and CUDA_VISIBLE_DEVICES, start containers with --gpus all, or set backend: openvino",
    ),
    r"driver version is insufficient|initialization failure with error:? 35|driver on your system is too old": (
        "the NVIDIA driver is older than this CUDA needs",
        "update the driver, or install envs/gpu-cuda12.txt, which takes drivers from 535 on",
    ),
    r"CUDNN_STATUS_MAPPING_ERROR|invalid resource handle|Cask convolution execution|explicit_context_dependent": (
        "two owners of the GPU's context are in one process (PyCUDA and torch), or a stream of another context",
        "time engines in a process of their own without torch and PyCUDA, as the rules here do",
    ),
    r"generated on an incompatible device|engine plan file across different models": (
        "the engine was built for another GPU",
        REBUILD,
    ),
    r"not compatible with this version of TensorRT|Version tag does not match|built from an older TensorRT": (
        "the engine was built by another version of TensorRT, or of CUDA with it",
        f"{REBUILD}; if that does not help, two TensorRT are installed: keep one",
    ),
    r"magic[ _]?tag|serialization (error|assertion)|plan file|cannot deserialize the engine": (
        "the file is no engine of this TensorRT: truncated, of another tool, or built by another version",
        REBUILD,
    ),
    r"satisfy any optimization profile|exceed min ~ max range|Static dimension mismatch|profile(Min|Max)Dims": (
        "the input lies outside of the dimensions that the engine was built for (minimum to maximum of its profile)",
        f"the engine is of another imgsz or shape: {REBUILD}; static engines take imgsz x imgsz only",
    ),
    r"Missing (dynamic range|scale and zero-point) for|no scaling factors detected|provide dynamic range": (
        "INT8 ranges are missing: the calibration is incomplete, or its cache is of another model",
        "delete the calibration cache (resources/implicit-*.cache) and the engine, or use int8.method: explicit",
    ),
    r"Requested amount of (GPU )?memory|insuff?icient memory on req|Error Code:? 2: Out ?Of ?Memory|getBestTactic": (
        "the GPU's memory is too small for the build, or other work holds it",
        "end other work on the GPU, set tensorrt.workspace_gib lower, or take a smaller batch",
    ),
    r"CUDA out of memory|ERROR_OUT_OF_MEMORY|allocate: 2 \(out of memory\)|Cuda Runtime \(out of memory\)": (
        "the GPU's memory is too small for the run, or other work holds it",
        "end other work on the GPU, or take a smaller model, imgsz or batch",
    ),
    r"Could not find any implementation": (
        "TensorRT could not try the kernels of a layer, or has none within its limits",
        "end other work on the GPU (nvidia-smi shows it), raise tensorrt.workspace_gib, or update TensorRT",
    ),
    r"scale coefficients|quantiz\w+ (scale|axis|node)|Int8 (mode|is)\b": (
        "this TensorRT cannot take the Q/DQ of the graph",
        "update TensorRT, or leave the cell out with `skip`",
    ),
    r"points outside the directory|escapes \w*\s?model directory|outside the base directory": (
        "the ONNX file wants to read weights from outside of its own folder",
        "do not trust it: take the file from its source, or export it again",
    ),
    r"Protobuf parsing failed|Error parsing message with type 'onnx|Unable to read the model": (
        "the ONNX file is truncated or no ONNX file",
        REBUILD,
    ),
    r"SafetensorError|deserializing header": (
        "the weights file is truncated or damaged",
        f"below results/, {REBUILD}; elsewhere, copy or fetch it again",
    ),
    r"Cannot import compiled blob|runtime_requirements_magic": (
        "the engine was built by another OpenVINO, for another CPU, or is damaged",
        REBUILD,
    ),
}  # fmt: skip

CATALOGUE = tuple(Known(re.compile(pattern, re.IGNORECASE | re.DOTALL), *said) for pattern, said in MESSAGES.items())


def explain(text: str) -> Known | None:
    """Find the first known message in a text (an exception's or a log's), None when nothing in it is known."""
    return next((known for known in CATALOGUE if known.pattern.search(text)), None)


def said(text: str) -> str | None:
    """Return the cause and the remedy of the first known message in a text, None when nothing in it is known."""
    known = explain(text)
    return known and f"{known.cause}; {known.remedy}"
