"""What the device can do at most, measured on it rather than read from a datasheet: the roof of the roofline."""

import time
from collections.abc import Callable
from functools import partial

import torch

from speedmap.engines import pytorch
from speedmap.machine import environment
from speedmap.machine.monitor import watch

SIDE = {"cuda": 8192, "cpu": 1024}  # of the square matrices: large enough to fill the device, small enough for a second
FLOATS = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
SLOW = {"cpu": {"fp16"}, "cuda": set()}  # a thousand times slower than the others, and used by nobody
BYTES = {"cuda": 1 << 30, "cpu": 1 << 27}
REPEATS, SECONDS = 3, 0.5  # at least, of each product and copy; a CPU without instructions for one takes seconds


def measure() -> dict:
    """Take the best rates of several matrix products and copies, the machine watched meanwhile.

    Returns `device`, `operations` {precision: multiply-adds a second}, `bytes` a second, `by`, and the watch's
    `warnings`. A rate is None where torch has no such product, or the device too little memory. Where torch cannot use
    the GPU there are no rates, and `by` says why.
    """
    try:
        device = pytorch.device().type
    except pytorch.TorchError as error:
        return {"device": None, "operations": {}, "bytes": None, "by": str(error)}
    torch.set_num_threads(environment.physical_cores())
    torch.backends.cuda.matmul.allow_tf32 = False  # as in the engines
    fast = {name: dtype for name, dtype in FLOATS.items() if name not in SLOW[device]}
    with watch(device == "cuda") as watched:
        products = {name: partial(_floats, dtype) for name, dtype in fast.items()} | {"int8": _integers}
        operations = {name: _rate(SIDE[device] ** 3, prepare, device) for name, prepare in products.items()}
        copied = _rate(2 * BYTES[device], _copy, device)  # read and written
    name = torch.cuda.get_device_name() if device == "cuda" else environment.cpu_name()
    warnings = watched.result.warnings
    by = f"torch {torch.__version__}"
    return {"device": name, "operations": operations, "bytes": copied, "by": by, "warnings": warnings}


def _floats(dtype: torch.dtype, device: str) -> Callable[[], object]:
    left, right = (torch.randn(SIDE[device], SIDE[device], device=device).to(dtype) for _ in range(2))
    return lambda: left @ right


def _integers(device: str) -> Callable[[], object]:
    left, right = (torch.randint(-9, 9, (SIDE[device],) * 2, dtype=torch.int8, device=device) for _ in range(2))
    return lambda: torch._int_mm(left, right.t())  # cuBLAS has fast integer kernels for a second matrix by columns only


def _copy(device: str) -> Callable[[], object]:
    source = torch.zeros(BYTES[device], dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return lambda: target.copy_(source)


def _rate(amount: int, prepare: Callable[[str], Callable[[], object]], device: str) -> float | None:
    """Return how much of an amount of work is done in a second."""
    try:
        return amount / _best(prepare(device))
    except (RuntimeError, AttributeError):  # this torch or device has no such product, or too little memory for it
        return None


def _best(work: Callable[[], object]) -> float:
    """Return the least seconds of some runs."""
    taken = []
    while len(taken) < REPEATS or sum(taken) < SECONDS:
        start = time.perf_counter()
        work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        taken.append(time.perf_counter() - start)
    return min(taken)
