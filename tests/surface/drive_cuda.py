"""Use a stream as a session does, once whole and once with each call failing; prints what comes of it as JSON."""

import json
import os
import sys

import cuda.bindings

from speedmap.engines.tensorrt.cuda import CudaError, Stream


def use():
    """Copy four numbers to the device and back, and capture and replay a graph."""
    with Stream() as stream:
        assert stream.free() == 1 << 30
        there, source, target = stream.device(16), stream.pinned(4), stream.pinned(4)
        source[:] = [1, 2, 3, 4]
        milliseconds, _ = stream.timed(lambda: stream.to_device(there, source))
        stream.to_host(target, there)
        stream.replay(stream.capture(lambda: None))
        stream.synchronize()
        return target.tolist(), milliseconds


def failing(call):
    os.environ["FAIL"] = call
    try:
        use()
    except CudaError as error:
        return str(error)
    return None


whole = use()
errors = {call: failing(call) for call in sys.argv[1:]}
print(json.dumps({"version": cuda.bindings.__version__, "whole": whole, "errors": errors}))
