"""CUDA's driver API without a GPU, call by call."""

import ctypes

from cuda.bindings import driver as cuda

PAIRS = {
    "cuMemAlloc": "cuMemFree", "cuMemHostAlloc": "cuMemFreeHost", "cuEventCreate": "cuEventDestroy",
    "cuStreamCreate": "cuStreamDestroy", "cuDevicePrimaryCtxRetain": "cuDevicePrimaryCtxRelease",
    "cuGraphInstantiate": "cuGraphExecDestroy",
}  # fmt: skip


class Driver:
    """Stands in for cuda.bindings.driver: notes every call, moves real memory, fails where it is told to."""

    def __init__(self, fails=(), code=cuda.CUresult.CUDA_ERROR_OUT_OF_MEMORY):
        self.calls, self.fails, self.code, self.memory, self.handles = [], fails, code, {}, iter(range(100, 10_000))

    def __getattr__(self, name):
        real = getattr(cuda, name)  # what is not there cannot be called
        if not name.startswith("cu"):
            return real

        def call(*args):
            self.calls.append(name)
            if name in self.fails:
                return (self.code,)
            return (cuda.CUresult.CUDA_SUCCESS, *getattr(type(self), f"_{name}", type(self)._handle)(self, *args))

        return call

    def _handle(self, *_args):
        return (next(self.handles),)

    def _cuMemAlloc(self, size, *_flags):
        buffer = ctypes.create_string_buffer(size)
        self.memory[ctypes.addressof(buffer)] = buffer
        return (ctypes.addressof(buffer),)

    _cuMemHostAlloc = _cuMemAlloc

    def _cuMemcpyHtoDAsync(self, to, source, size, _stream):
        ctypes.memmove(to, source, size)
        return ()

    _cuMemcpyDtoHAsync = _cuMemcpyHtoDAsync

    def _cuEventElapsedTime(self, *_events):
        return (0.5,)


def balanced(calls, failed=None):
    """Return whether all that was made, but for the call that failed, has been given back."""
    return all(calls.count(make) - (make == failed) == calls.count(free) for make, free in PAIRS.items())
