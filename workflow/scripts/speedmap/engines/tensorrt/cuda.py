"""The part of the CUDA driver API that an engine session needs, every call checked and every resource given back."""

import ctypes
import logging
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import numpy as np

from speedmap.errors import UserError, known

log = logging.getLogger(__name__)


class CudaError(UserError, RuntimeError):
    """A call of the CUDA driver that failed; the message names the call and the code."""


def _driver() -> Any:
    try:
        from cuda.bindings import driver
    except ImportError as error:
        raise CudaError(f"cuda-bindings cannot be imported ({error}); install envs/gpu.txt") from error
    return driver


class Stream:
    """An own non-blocking stream in the primary context of the first visible GPU, and what was allocated with it.

    A context manager: on leaving, everything is given back in reverse order, and an error in one step keeps none of
    the others from running. `driver` is the module of the CUDA driver API, replaceable in tests.
    """

    def __init__(self, driver: Any = None) -> None:
        self.driver = driver or _driver()
        self._stack = ExitStack()

    def __enter__(self) -> "Stream":
        with ExitStack() as undo:
            self._stack = undo
            self._open()
            self._stack = undo.pop_all()
        return self

    def _open(self) -> None:
        self.call("cuInit", 0)
        device = self.call("cuDeviceGet", 0)
        context = self.call("cuDevicePrimaryCtxRetain", device)
        self._later("cuDevicePrimaryCtxRelease", device)
        self.call("cuCtxSetCurrent", context)
        self.handle = self.call("cuStreamCreate", self.driver.CUstream_flags.CU_STREAM_NON_BLOCKING.value)
        self._later("cuStreamDestroy", self.handle)
        self._start, self._stop = self._event(), self._event()

    def __exit__(self, *_error: object) -> None:
        self._stack.close()

    def call(self, name: str, *args: Any) -> Any:
        """Call a driver function and give its result; CudaError when its code is not success."""
        try:
            code, *result = getattr(self.driver, name)(*args)
        except RuntimeError as error:  # the bindings' word for a driver that is not there or lacks the function
            raise CudaError(f"{name}: {error}; install or update the NVIDIA driver") from error
        if int(code) != 0:
            raise CudaError(_explain(name, code))
        return result[0] if result else None

    def _later(self, name: str, *args: Any) -> None:
        """Call a driver function on leaving; a failure is logged, since an earlier error is what matters then."""

        def clean() -> None:
            try:
                self.call(name, *args)
            except CudaError as error:
                log.warning("cleaning up: %s", error)

        self._stack.callback(clean)

    def _event(self) -> Any:
        event = self.call("cuEventCreate", 0)
        self._later("cuEventDestroy", event)
        return event

    def device(self, size: int) -> int:
        """Allocate `size` bytes of GPU memory and give the address."""
        address = self.call("cuMemAlloc", max(size, 256))
        self._later("cuMemFree", address)
        return int(address)

    def free(self) -> int:
        """Return the bytes of GPU memory that nobody holds."""
        return int(self.call("cuMemGetInfo"))

    def pinned(self, count: int) -> np.ndarray:
        """Allocate `count` float32 of page-locked host memory; the array must not outlive the stream."""
        address = self.call("cuMemHostAlloc", 4 * max(count, 1), 0)
        self._later("cuMemFreeHost", address)
        return _array(int(address), count)

    def synchronize(self) -> None:
        """Wait until everything that was enqueued has run."""
        self.call("cuStreamSynchronize", self.handle)

    def to_device(self, address: int, host: np.ndarray) -> None:
        """Enqueue a copy of a pinned array to the GPU."""
        self.call("cuMemcpyHtoDAsync", address, host.ctypes.data, host.nbytes, self.handle)

    def to_host(self, host: np.ndarray, address: int) -> None:
        """Enqueue a copy from the GPU into a pinned array."""
        self.call("cuMemcpyDtoHAsync", host.ctypes.data, address, host.nbytes, self.handle)

    def timed(self, launch: Callable[[], None]) -> tuple[float, float]:
        """Run what `launch` enqueues to its end; returns (device ms between two events, host ms of the launch)."""
        self.call("cuEventRecord", self._start, self.handle)
        begin = time.perf_counter()
        launch()
        enqueued = time.perf_counter() - begin
        self.call("cuEventRecord", self._stop, self.handle)
        self.call("cuEventSynchronize", self._stop)
        return float(self.call("cuEventElapsedTime", self._start, self._stop)), 1e3 * enqueued

    def capture(self, launch: Callable[[], None]) -> Any:
        """Record what `launch` enqueues as an executable graph; errors of `launch` or CudaError when it cannot be."""
        mode = self.driver.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL
        self.call("cuStreamBeginCapture", self.handle, mode)
        try:
            launch()
        except BaseException:
            self.driver.cuStreamEndCapture(self.handle)  # only to leave capture mode; its code says what is known
            raise
        graph = self.call("cuStreamEndCapture", self.handle)
        try:
            executable = self.call("cuGraphInstantiate", graph, 0)
        finally:
            self.call("cuGraphDestroy", graph)
        self._later("cuGraphExecDestroy", executable)
        return executable

    def replay(self, executable: Any) -> None:
        """Enqueue a captured graph."""
        self.call("cuGraphLaunch", executable, self.handle)


def _array(address: int, count: int) -> np.ndarray:
    return np.ctypeslib.as_array((ctypes.c_float * count).from_address(address))


def _explain(name: str, code: Any) -> str:
    label = getattr(code, "name", str(code))
    return f"{name}: {label} ({int(code)}); {known.said(label) or 'see the CUDA driver documentation for this code'}"
