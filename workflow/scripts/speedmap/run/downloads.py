"""What a config wants fetched: files and folders below resources/, and where they come from.

Paths elsewhere belong to the user, who may point an overlay at a copy at hand: nothing is ever fetched to them.
"""

import re
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import NamedTuple
from urllib.parse import urlsplit

from speedmap.run.settings import DataSet, Model, Source

ROOT = "resources/"


class Wanted(NamedTuple):
    """What is fetched. archive: the path of the zip file that it, or for calibration images their list, is in."""

    source: Source
    archive: str | None = None


def files(models: Iterable[Model], dataset: DataSet) -> dict[str, Wanted]:
    """Map the path below resources/ of each file to download, or to unpack, to how it is got."""
    wanted = {model.weights: Wanted(Source(model.url, model.sha256)) for model in models if model.url}
    wanted |= {_archive(source): Wanted(source) for source in dataset.sources.given.values() if source.sha256}
    if annotations := dataset.sources.annotations:
        wanted[dataset.annotations] = Wanted(annotations, _archive(annotations))
    return _below(wanted)


def folders(dataset: DataSet) -> dict[str, Wanted]:
    """Map the path below resources/ of each folder of images to how it is got."""
    sources = dataset.sources
    wanted = {dataset.images: Wanted(sources.images, _archive(sources.images))} if sources.images else {}
    if sources.calibration:
        wanted[dataset.calibration] = Wanted(sources.calibration, _archive(sources.annotations))
    return _below(wanted)


def _archive(source: Source) -> str:
    """Return the path that the file of a source is downloaded to."""
    return ROOT + PurePosixPath(urlsplit(source.url).path).name


def pattern(paths: Iterable[str]) -> str:
    """Write the wildcard constraint that only these paths meet; none does when there are none."""
    return "|".join(map(re.escape, paths)) or "(?!)"


def _below(wanted: dict[str, Wanted]) -> dict[str, Wanted]:
    inside = {path for path in wanted if path.startswith(ROOT) and ".." not in PurePosixPath(path).parts}
    return {path.removeprefix(ROOT): how for path, how in wanted.items() if path in inside}
