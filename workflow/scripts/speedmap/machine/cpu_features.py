"""What a processor's instructions mean for eight-bit arithmetic."""

import os
import re
from pathlib import Path

from speedmap.machine import environment

DOT_PRODUCTS = {"avx512_vnni", "avx_vnni", "amx_int8"}  # flags of instructions that add up INT8 products in 32 bits
NARROW = {"SSE41", "AVX", "AVX2", "AVX512_CORE"}  # limits of oneDNN's instructions below those
SATURATING, WIDE = "16 bits, saturating", "32 bits"  # how sums of INT8 products are kept


def saturates(cpuinfo: str, limit: str = "") -> bool:
    """Return whether oneDNN adds up pairs of INT8 products in 16 bits, where those of u8 by s8 do not fit.

    True of x86 processors without VNNI: vpmaddubsw is their only instruction for it. cpuinfo: text of /proc/cpuinfo.
    limit: value of ONEDNN_MAX_CPU_ISA. Source: oneDNN's developer guide, nuances of int8 computations.
    """
    flags = re.search(r"^flags\s*:\s*(.+)$", cpuinfo, re.MULTILINE)  # Arm lists `Features`
    if flags is None:
        return False
    return limit.upper() in NARROW or not DOT_PRODUCTS & set(flags[1].split())


def sums_saturate(platform: dict) -> bool:
    """Return whether a platform keeps sums of INT8 products in 16 bits."""
    return platform.get("int8_sums") == SATURATING


def openvino_platform() -> dict[str, str | None]:
    """Return what OpenVINO's engines depend on; `int8_sums` is SATURATING or WIDE."""
    path = Path("/proc/cpuinfo")
    narrow = saturates(path.read_text() if path.exists() else "", os.environ.get("ONEDNN_MAX_CPU_ISA", ""))
    return {**environment.cpu_platform("openvino"), "int8_sums": SATURATING if narrow else WIDE}
