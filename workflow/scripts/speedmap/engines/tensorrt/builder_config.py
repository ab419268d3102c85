"""How the TensorRT builder is configured, and what it shows while it works."""

import threading
from typing import Any

from msgspec import Struct
from onnx import ModelProto

from speedmap.engines.tensorrt import tactic_sources, weak_typing
from speedmap.engines.tensorrt.library import load
from speedmap.graph.detector_graph import INPUT

LEVEL = 3  # TensorRT's own default of the builder level


class Implicit(Struct, frozen=True):
    """What TensorRT calibrates on itself: the first `images` of the calibration images in a file, None: all."""

    image_set: str
    images: int | None


class Options(Struct, frozen=True):
    """The section `tensorrt` of a config, whose schema says what each means, and what else a build depends on."""

    builder_level: int = LEVEL
    workspace_gib: float | None = None
    timing_cache: bool | None = None
    rounding: str | None = None
    pins: str | None = None
    float_silu: str | None = None
    image_blocks: str | None = None
    implicit: Implicit | None = None


Shapes = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]  # least, likeliest and largest input


def flags_for(model: ModelProto, pinned: int) -> dict:
    """Choose Polygraphy's precision arguments for a TensorRT that takes them from flags."""
    sources = tactic_sources.usable(load().TacticSource.__members__)
    flags = {"fp16": weak_typing.halved(model), "int8": weak_typing.quantized(model)}
    flags |= {"tactic_sources": list(sources.values())}
    return flags | ({"precision_constraints": "prefer"} if pinned else {})


def configure(builder: Any, network: Any, shapes: Shapes, options: Options, flags: dict) -> Any:
    """Make the builder's configuration; `flags` are more arguments for Polygraphy's `create_config`."""
    from polygraphy.backend.trt import Profile, create_config
    from polygraphy.logger import G_LOGGER

    trt = load()
    G_LOGGER.module_severity = G_LOGGER.WARNING
    if options.workspace_gib:
        flags |= {"memory_pool_limits": {trt.MemoryPoolType.WORKSPACE: int(options.workspace_gib * 2**30)}}
    if hasattr(trt, "IProgressMonitor"):
        flags |= {"progress_monitor": _progress()}
    config = create_config(
        builder,
        network,
        profiles=[Profile().add(INPUT, *shapes)],
        builder_optimization_level=options.builder_level,
        profiling_verbosity=trt.ProfilingVerbosity.DETAILED,  # else the inspector knows no precisions
        **flags,
    )
    if hasattr(trt.PreviewFeature, "PROFILE_SHARING_0806"):  # the default since TensorRT 9
        config.set_preview_feature(trt.PreviewFeature.PROFILE_SHARING_0806, True)
    return config


def _progress() -> Any:
    """Show the builder's outermost phases as progress bars where there is a terminal."""
    from tqdm import tqdm

    trt = load()

    class Progress(trt.IProgressMonitor):
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)
            self.bars: dict[str, Any] = {}
            self.lock = threading.Lock()  # the builder reports from several threads

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            if parent_phase is None:
                with self.lock:
                    self.bars[phase_name] = tqdm(total=num_steps, desc=phase_name, disable=None)

        def step_complete(self, phase_name: str, step: int) -> bool:
            with self.lock:
                if phase_name in self.bars:
                    self.bars[phase_name].update()
            return True

        def phase_finish(self, phase_name: str) -> None:
            with self.lock:
                if phase_name in self.bars:
                    self.bars.pop(phase_name).close()

    return Progress()
