"""Which libraries beside its own TensorRT 8.6 may take kernels from on this machine."""

import ctypes
from typing import Any

# By tactic source: the prefix of the library's functions, and the files that builds of TensorRT 8.6 name.
LIBRARIES = {
    "CUBLAS": ("cublas", ("libcublas.so.12", "libcublas.so.11")),
    "CUBLAS_LT": ("cublasLt", ("libcublasLt.so.12", "libcublasLt.so.11")),
    "CUDNN": ("cudnn", ("libcudnn.so.8",)),
}
MAJOR_VERSION = 0  # of CUDA's libraryPropertyType


def usable(members: dict[str, Any]) -> dict[str, Any]:
    """Keep the tactic sources whose libraries are real; a stand-in that only exports symbols would fail when called.

    members: TensorRT's sources by name. Those of no library outside of TensorRT are always kept.
    """
    return {name: source for name, source in members.items() if name not in LIBRARIES or real(*LIBRARIES[name])}


def real(prefix: str, files: tuple[str, ...]) -> bool:
    """Check whether the first library that can be opened knows its own version."""
    for file in files:
        try:
            library = ctypes.CDLL(file)
        except OSError:
            continue
        return major_version(library, prefix) > 0
    return False


def major_version(library: Any, prefix: str) -> int:
    """Ask a CUDA library for its major version; 0 when it has none to give."""
    ask, value = getattr(library, f"{prefix}GetProperty", None), ctypes.c_int(0)
    succeeded = ask is not None and ask(MAJOR_VERSION, ctypes.byref(value)) == 0
    return value.value if succeeded else 0
