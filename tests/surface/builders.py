"""What builds an engine as stand-ins: a builder, its configuration, network and timing cache."""

import tensorrt_bindings as trt
from stand_ins import StandIn

BUILDER, PARSER = trt.Builder, trt.OnnxParser  # whose names get what makes stand-ins
PLAN = b"plan"


def timings(platform="here", entries=(), whole=True):
    """Make a timing cache: of one platform, which takes in that of no other; not `whole`: and says no even so."""
    known = set(entries)

    def combine(theirs, ignore_mismatch):
        assert not ignore_mismatch
        other, _, more = bytes(theirs.serialize()).decode().partition(":")
        known.update(filter(None, more.split(",")) if other == platform else ())
        return whole and other == platform

    return StandIn(trt.ITimingCache, combine=combine, serialize=lambda: buffer(f"{platform}:{','.join(sorted(known))}"))


def buffer(text):
    """Make bytes that can be read as a buffer alone, like TensorRT's host memory."""
    return memoryview(text.encode())


def read_timings(text):
    """Make a timing cache of what another one wrote; None of anything else."""
    platform, separator, entries = bytes(text or b"here:").decode().partition(":")
    return timings(platform, filter(None, entries.split(","))) if separator else None


def config(cache=None, **more):
    state = {"cache": cache}
    behaviour = {
        "create_timing_cache": read_timings, "get_timing_cache": lambda: state["cache"],
        "set_timing_cache": lambda cache, ignore_mismatch: state.update(cache=cache) or True,
        "add_optimization_profile": 0, "builder_optimization_level": 3,
    }  # fmt: skip
    return StandIn(trt.IBuilderConfig, **behaviour | more)


def tensor(name="images", dtype=trt.DataType.FLOAT):
    return StandIn(trt.ITensor, name=name, dtype=dtype, shape=trt.Dims([1, 3, -1, -1]), is_shape_tensor=False)


def network(layers=()):
    return StandIn(
        trt.INetworkDefinition, num_layers=len(layers), get_layer=layers.__getitem__, num_inputs=1,
        get_input=lambda _index: tensor(), __len__=len(layers), __getitem__=layers.__getitem__,
    )  # fmt: skip


def builder(logger, make_config=config, **more):
    behaviour = {
        "create_network": network(), "create_builder_config": make_config, "build_serialized_network": memoryview(PLAN),
        "create_optimization_profile": lambda: StandIn(trt.IOptimizationProfile),
    }  # fmt: skip
    return StandIn(BUILDER, **behaviour | more)


def parser(network, logger):
    return StandIn(PARSER, parse=True, num_errors=0)
