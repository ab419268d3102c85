"""What the builder is told and asked beside a build, on stand-ins made from TensorRT's real classes."""

import builders
import pytest
import tensorrt_bindings as trt
from onnx import helper
from stand_ins import StandIn

from helpers.weakly_typed import typed
from speedmap.engines.tensorrt import builder, tactic_sources
from speedmap.engines.tensorrt.builder_config import Options
from speedmap.engines.tensorrt.library import EngineError, logger

TYPES, KINDS = trt.DataType, trt.LayerType
SIDES = tuple((1, 3, side, 64) for side in (32, 64, 64))
OLD = trt.__version__.startswith("8.")
STRONG = trt.__version__.startswith("11.")  # and takes types from nowhere but the file


@pytest.mark.parametrize("known", [True, False])
def test_the_parsers_errors_name_node_and_operator(known):
    node = helper.make_node("Einsum", ["a"], ["b"], name="/model.0/Einsum")
    model = helper.make_model(helper.make_graph([node], "g", [], []))
    names = {} if known else {"node_name": "/model.9/Mod", "node_operator": "Mod"}
    error = StandIn(trt.ParserError, node=0, desc="no importer registered", **names)
    parser = StandIn(builders.PARSER, num_errors=1, get_error=lambda _index: error)
    named = "/model.0/Einsum (Einsum)" if known or OLD else "/model.9/Mod (Mod)"
    assert builder.parser_errors(parser, model) == [f"node {named}: no importer registered"]


def test_every_version_is_told_what_it_has_and_shows_its_progress():
    told, limits = {}, {}
    config = builders.config(set_preview_feature=lambda feature, on: told.update({feature: on}),
                             set_memory_pool_limit=lambda pool, size: limits.update({pool: size}))  # fmt: skip
    options = Options(builder_level=2, workspace_gib=0.5)
    made = builder.configure(builders.builder(None, lambda: config), builders.network(), SIDES, options, {})
    assert (made.profiling_verbosity, made.builder_optimization_level) == (trt.ProfilingVerbosity.DETAILED, 2)
    assert limits == {trt.MemoryPoolType.WORKSPACE: 2**29}
    if OLD:
        assert told == {trt.PreviewFeature.PROFILE_SHARING_0806: True}
    else:
        made.progress_monitor.phase_start("Building", None, 2)
        made.progress_monitor.phase_start("Timing", "Building", 1)
        assert made.progress_monitor.step_complete("Building", 0)
        assert made.progress_monitor.step_complete("Timing", 0)
        assert list(made.progress_monitor.bars) == ["Building"]
        made.progress_monitor.phase_finish("Building")


@pytest.mark.skipif(not OLD, reason="what it builds is told by the file alone")
@pytest.mark.parametrize("real", [True, False])
def test_kernels_of_other_libraries_are_taken_only_where_these_are_real(monkeypatch, real):
    told = []
    monkeypatch.setattr(tactic_sources, "real", lambda _prefix, _files: real)
    config = builders.config(set_tactic_sources=told.append)
    flags = builder.flags_for(typed(), 1)
    builder.configure(builders.builder(None, lambda: config), builders.network(), SIDES, Options(), flags)
    theirs = sum(1 << int(trt.TacticSource.__members__[name]) for name in tactic_sources.LIBRARIES)
    assert (told[0] & theirs, bool(told[0] & ~theirs)) == (theirs if real else 0, True)


def layer(name, dtype=TYPES.FLOAT, kind=KINDS.ACTIVATION):
    output, told = builders.tensor(name, dtype), []
    made = StandIn(
        trt.ILayer, type=kind, num_outputs=1, get_output=lambda _index: output,
        set_output_type=lambda _index, dtype: told.append(dtype),
    )  # fmt: skip
    return made, told


@pytest.mark.skipif(STRONG, reason="its layers take no types")
@pytest.mark.parametrize("rounding", ["float16", "float32"])
def test_a_tensorrt_without_strong_types_is_told_both_float_types(rounding):
    model = typed()
    model.graph.node[4].input[0] = "half"
    layers, told = zip(
        layer("conv"), layer("output"), layer("output", TYPES.INT32), layer("q", TYPES.INT8, KINDS.QUANTIZE),
        layer("dq", kind=KINDS.DEQUANTIZE), strict=True,
    )  # fmt: skip
    counts = builder._pin_types(builders.network(layers), model, None, Options(rounding=rounding))
    half = TYPES.HALF if rounding == "float16" else None
    assert counts == {"float32": 1, "float16": 1, "rounding": 2 if half else 0}
    assert [layer.precision for layer in layers] == [TYPES.HALF, TYPES.FLOAT, None, half, None]
    assert list(told) == [[TYPES.HALF], [TYPES.FLOAT], [], [], [half] if half else []]


def test_a_builder_that_does_not_start_says_what_tensorrt_said(monkeypatch):
    def refuse(logger):
        raise TypeError("pybind11::init(): factory function returned nullptr")

    monkeypatch.setattr(trt, "Builder", refuse)
    logger().errors.clear()
    with pytest.raises(EngineError, match="no GPU, or a driver too old"):
        builder._builder(logger())
    logger().log(trt.ILogger.INTERNAL_ERROR, "Internal Error (Assertion validateCaskKLibDigest(sha256sum) failed. )")
    with pytest.raises(EngineError, match=r"builder resource is missing, damaged.*install"):
        builder._builder(logger())
