"""What a config wants fetched: files and folders below resources/, and where they come from.

Paths elsewhere belong to the user, who may point an overlay at a copy at hand: nothing is ever fetched to them.
"""

import re
from collections.abc import Iterable
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from speedmap.run.settings import DataSet, Model, Source

ROOT = "resources/"


def downloads(models: Iterable[Model], dataset: DataSet) -> dict[str, dict]:
    """Map each file to download, as its path below resources/, to its `url` and `sha256`."""
    files: dict[str, Model | Source] = {model.weights: model for model in models if model.url}
    files |= {archive(source): source for source in dataset.sources.values() if source.sha256}
    return _below({path: {"url": source.url, "sha256": source.sha256} for path, source in files.items()})


def unpacked(dataset: DataSet, part: str) -> dict[str, dict]:
    """Map the path below resources/ of `images` or `annotations` to their `archive` and the `member` in it."""
    source = dataset.sources.get(part)
    return _below({getattr(dataset, part): {"archive": archive(source), "member": source.member}}) if source else {}


def calibration(dataset: DataSet) -> dict[str, dict]:
    """Map the path below resources/ of `calibration` to its `url`, `count`, `archive` of annotations and `member`."""
    annotations, source = map(dataset.sources.get, ("annotations", "calibration"))
    if not source:
        return {}
    facts = {"archive": archive(annotations), "url": source.url, "member": source.member, "count": source.count}
    return _below({dataset.calibration: facts})


def archive(source: Source) -> str:
    """Return the path that the file of a source is downloaded to."""
    return ROOT + PurePosixPath(urlsplit(source.url).path).name


def pattern(paths: Iterable[str]) -> str:
    """Write the wildcard constraint that only these paths meet; none does when there are none."""
    return "|".join(map(re.escape, paths)) or "(?!)"


def _below(sources: dict[str, dict]) -> dict[str, dict]:
    inside = {path for path in sources if path.startswith(ROOT) and ".." not in PurePosixPath(path).parts}
    return {path.removeprefix(ROOT): source for path, source in sources.items() if path in inside}
