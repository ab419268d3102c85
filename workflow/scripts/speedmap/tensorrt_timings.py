"""The kernel timings of a GPU that one TensorRT build leaves for the next."""

import re
from pathlib import Path
from typing import Any

from speedmap import records


def kept(options: dict, here: dict[str, str]) -> Path | None:
    """Name the file of all builds on one GPU and TensorRT; None at level 0, which takes the first kernel that runs."""
    if options.get("builder_level") == 0 or not options.get("timing_cache", True):
        return None
    gpu = re.sub(r"[^A-Za-z0-9]+", "-", here["gpu"]).strip("-").lower()
    return Path(f"resources/timing-{gpu}-{here['tensorrt']}.cache")


def merge(config: Any, path: Path) -> None:
    """Add the timings in a file to those of a build; a cache that is not there or not readable costs time only."""
    mine = config.get_timing_cache()
    try:
        theirs = config.create_timing_cache(path.read_bytes()) if path.is_file() else None
    except (OSError, TypeError):
        theirs = None
    if mine is not None and theirs is not None:
        mine.combine(theirs, ignore_mismatch=False)


def save(config: Any, path: Path) -> None:
    """Write the timings of a build and those that builds beside it have written meanwhile."""
    merge(config, path)
    cache = config.get_timing_cache()
    if cache is not None:
        with records.atomic(path) as temporary:
            temporary.write_bytes(cache.serialize())
