"""Kernel timings that builds on one GPU and TensorRT share: with them, a second build chooses without trying again."""

import fcntl
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from speedmap import storage
from speedmap.engines.tensorrt.builder_config import Options
from speedmap.engines.tensorrt.library import EngineError

log = logging.getLogger(__name__)


def kept(options: Options, here: dict[str, str]) -> Path | None:
    """Name the file of all builds on one GPU and TensorRT; None at level 0, which takes the first kernel that runs."""
    wanted, level = options.timing_cache, options.builder_level
    if wanted and level == 0:
        raise EngineError(
            "tensorrt.timing_cache: true contradicts builder_level: 0, which times no kernels; take out one of the two"
        )
    if level == 0 or wanted is False:
        return None
    gpu = re.sub(r"[^A-Za-z0-9]+", "-", here["gpu"]).strip("-").lower()
    return Path(f"resources/timing-{gpu}-{here['tensorrt']}.cache")


def merge(config: Any, path: Path) -> dict:
    """Add the timings in a file to those of a build; a cache that does not fit this machine is left out.

    Returns `state`: cold (there is none), warm, or refused, of another GPU or TensorRT or damaged; and the `bytes`.
    What came in counts: TensorRT 8.6 says no to caches of its own, too, of which it leaves out Myelin's part alone.
    """
    size = path.stat().st_size if path.is_file() else 0
    mine, theirs = config.get_timing_cache(), _read(config, path) if size else None
    if mine is None or not size:
        return {"state": "cold", "bytes": size}
    before = mine.serialize().nbytes
    taken = theirs is not None and (mine.combine(theirs, ignore_mismatch=False) or mine.serialize().nbytes > before)
    return {"state": "warm" if taken else "refused", "bytes": size}


def _read(config: Any, path: Path) -> Any:
    try:
        return config.create_timing_cache(path.read_bytes())
    except (OSError, TypeError):  # the latter is what pybind11 makes of a factory that gave nothing
        return None


def save(config: Any, path: Path) -> int:
    """Write the timings of a build and those that builds beside it have written meanwhile; returns the bytes.

    0 where the file cannot be written or locked, which is said: an engine that is built is worth more than its timings.
    """
    cache = config.get_timing_cache()
    if cache is None:
        return 0
    try:
        with _alone(path):
            merge(config, path)
            with storage.atomic(path) as temporary:
                temporary.write_bytes(cache.serialize())
        return path.stat().st_size
    except OSError as error:
        log.warning("%s: the timings of this build cannot be kept (%s); the next one takes its own", path, error)
        return 0


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep other builds from writing between the reading and the writing of what both add to."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with Path(f"{path}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
