"""From typed ONNX to a TensorRT engine, with no precision branch beyond what the installed TensorRT needs."""

import logging
import resource
import time
from pathlib import Path
from typing import Any

import msgspec
import onnx
from onnx import ModelProto

from speedmap import storage
from speedmap.engines.tensorrt import entropy_calibration, float_silu, image_blocks, timing_cache, weak_typing
from speedmap.engines.tensorrt.builder_config import Options, Shapes, configure, flags_for
from speedmap.engines.tensorrt.entropy_calibration import Feed
from speedmap.engines.tensorrt.library import EngineError, explain, load, logger, platform
from speedmap.errors import anew
from speedmap.graph.batch import batch_of

log = logging.getLogger(__name__)

PINNED = ("float32", "float16", "rounding")  # what layers are told: to compute in a type, to round float16
SMALLEST = 32  # pixels: the least input side, one cell of the coarsest features


def build(onnx: Path, engine: Path, opt: tuple[int, int], imgsz: int, dynamic: bool, options: dict) -> dict:
    """Build an engine file from typed ONNX, whole or not at all; returns the facts of the build.

    From float32 ONNX where options say `implicit`: TensorRT then finds INT8 ranges itself, see entropy_calibration.

    opt: (height, width) to optimise a dynamic engine for. options: of Options; others are not the builder's. Raises
    EngineError.
    """
    here, shapes = platform(), profile(opt, imgsz, dynamic, 1 if dynamic else batch_of(_read(onnx)))
    chosen = msgspec.convert(options, Options)
    cache = timing_cache.kept(chosen, here)
    started = time.perf_counter()
    with entropy_calibration.feeding(onnx, imgsz, chosen.implicit, here) as feed:
        plan, facts = serialize(onnx, shapes, chosen, cache, feed)
    seconds = time.perf_counter() - started
    with storage.atomic(engine) as temporary:
        temporary.write_bytes(plan)
    return {
        "build_s": round(seconds, 2),
        "engine_mb": round(engine.stat().st_size / 1e6, 3),
        "peak_process_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "profile": dict(zip(("min", "opt", "max"), map(list, shapes), strict=True)),
        "tensorrt": here["tensorrt"],
        **facts,
    }


def profile(opt: tuple[int, int], imgsz: int, dynamic: bool, batch: int = 1) -> Shapes:
    """Return the least, the likeliest and the largest input [batch, 3, h, w]; static ones are equal.

    Both orientations of a rectangle lie between the least and the largest, since its long side is `imgsz`.
    """
    largest = (batch, 3, imgsz, imgsz)
    return ((batch, 3, SMALLEST, SMALLEST), (batch, 3, *opt), largest) if dynamic else (largest, largest, largest)


def serialize(
    path: Path, shapes: Shapes, options: Options, cache: Path | None = None, feed: Feed | None = None
) -> tuple[Any, dict]:
    """Parse typed ONNX and build it; returns the plan (a buffer) and what was decided. Raises EngineError.

    feed: images to calibrate on, for ONNX that is float32 and gets INT8 from TensorRT.
    """
    trt, said = load(), logger()
    said.errors.clear()
    said.peak.clear()
    model, calibration = _read(path), entropy_calibration.flags(feed)
    flags = trt.NetworkDefinitionCreationFlag.__members__
    strong = "STRONGLY_TYPED" in flags and feed is None  # since TensorRT 9: the types in the file are binding
    if not strong and options.float_silu == "tanh":
        model = float_silu.apart(model)
    builder = _builder(said)
    network = builder.create_network(1 << int(flags["STRONGLY_TYPED" if strong else "EXPLICIT_BATCH"]))
    # the parser's weights are not copied: it and the text must live until the engine is built
    written = model if strong else _spelled_out(model, options)
    parser, text = trt.OnnxParser(network, said), written.SerializeToString()
    if not parser.parse(text):
        raise explain(parser_errors(parser, written), f"{path.name} with TensorRT {trt.__version__}")
    pinned = dict.fromkeys(PINNED, 0) if strong else _pin_types(network, model, feed, options)
    precisions = {} if strong else flags_for(model, sum(pinned.values()))
    config = configure(builder, network, shapes, options, precisions | calibration)
    entropy_calibration.set_shape(builder, config, feed)
    timings = timing_cache.merge(config, cache) if cache else {"state": "off"}
    if "refused" in timings.values():
        log.warning("%s: %s is of another GPU or TensorRT, or damaged; it is not used", path.name, cache)
    plan = builder.build_serialized_network(network, config)
    if feed:
        feed.check(built=plan is not None)
    if plan is None:
        raise explain(said.errors, f"{path.name} with TensorRT {trt.__version__}")
    if cache:
        timings |= {"bytes_after": timing_cache.save(config, cache)}
    facts = {"builder_level": config.builder_optimization_level, "types": "strong" if strong else "weak"}
    facts |= {"calibration": feed.facts()} if feed else {}
    facts |= {f"pinned_{kind}": count for kind, count in pinned.items()}
    return plan, {**facts, "timing_cache": timings, "workspace_gib": options.workspace_gib, **said.peak}


def _spelled_out(model: ModelProto, options: Options) -> ModelProto:
    """Write a typed graph as a TensorRT without strong types reads it, in the form that it has faster kernels for."""
    return weak_typing.widen(image_blocks.over_blocks(model) if options.image_blocks == "int8" else model)


def _pin_types(network: Any, model: ModelProto, feed: Feed | None, options: Options) -> dict[str, int]:
    """Tell a TensorRT without strong types what the file said; returns the number of layers pinned to each type.

    Without it the builder runs a share of the convolutions in float32 that differs from build to build, and converts
    what lies between them to float32 and back; and it rounds from and to float32.
    """
    types, half = load().DataType, weak_typing.half_tensors(model, options.pins == "needed")
    rounding = weak_typing.rounding(model) if options.rounding == "float16" else set()
    counts = (
        _pin(network, _single(model, feed), types.FLOAT),
        _pin(network, half, types.HALF),
        _pin_rounding(network, rounding, types.HALF),
    )
    return dict(zip(PINNED, counts, strict=True))


def _single(model: ModelProto, feed: Feed | None) -> set[str]:
    """Name the tensors that a TensorRT without strong types must be told to keep in float32."""
    if feed:
        return entropy_calibration.decoding(model)
    return weak_typing.float_tensors(model) if weak_typing.halved(model) else set()


def _read(path: Path) -> ModelProto:
    try:
        return onnx.load(path)
    except Exception as error:  # protobuf's DecodeError is no part of a stable interface
        raise EngineError(f"{path}: no ONNX file ({error}); {anew(path)}") from error


def _builder(log: Any) -> Any:
    try:
        return load().Builder(log)
    except TypeError as error:  # what pybind11 makes of a factory that gave nothing
        if log.errors:
            raise explain(log.errors, "TensorRT cannot start its builder") from error
        raise EngineError("TensorRT cannot start its builder: no GPU, or a driver too old; check nvidia-smi") from error


def parser_errors(parser: Any, model: ModelProto) -> list[str]:
    """Describe what the parser refused, with the node's name and operator."""
    return [_parser_error(parser.get_error(index), model) for index in range(parser.num_errors)]


def _parser_error(error: Any, model: ModelProto) -> str:
    nodes, index = model.graph.node, error.node()
    name, operator = (nodes[index].name, nodes[index].op_type) if 0 <= index < len(nodes) else ("?", "?")
    if hasattr(error, "node_name"):  # TensorRT 10
        name, operator = error.node_name() or name, error.node_operator() or operator
    return f"node {name} ({operator}): {error.desc()}"


def _pin(network: Any, tensors: set[str], precision: Any) -> int:
    """Ask a weakly typed TensorRT to compute the named tensors, floats so far, in a precision; counts the layers."""
    float32, count = load().DataType.FLOAT, 0
    for index in range(network.num_layers):
        layer = network.get_layer(index)
        outputs = [layer.get_output(position) for position in range(layer.num_outputs)]
        if any(tensor.name in tensors and tensor.dtype == float32 and not tensor.is_shape_tensor for tensor in outputs):
            layer.precision = precision
            for position in range(layer.num_outputs):
                layer.set_output_type(position, precision)
            count += 1
    return count


def _pin_rounding(network: Any, tensors: set[str], precision: Any) -> int:
    """Ask a weakly typed TensorRT to round the tensors of a precision, and back to it; counts the layers."""
    if not tensors:
        return 0
    kinds, count = load().LayerType, 0
    for index in range(network.num_layers):
        layer = network.get_layer(index)
        if layer.type in (kinds.QUANTIZE, kinds.DEQUANTIZE) and layer.get_output(0).name in tensors:
            if layer.type == kinds.DEQUANTIZE:  # of which TensorRT 8.6 refuses any precision but INT8
                layer.set_output_type(0, precision)
            else:
                layer.precision = precision
            count += 1
    return count
