"""What a config wants fetched: files and folders below resources/, and where they come from.

Paths elsewhere belong to the user, who may point an overlay at a copy at hand: nothing is ever fetched to them.
"""

import re
from collections.abc import Iterable
from pathlib import PurePosixPath
from urllib.parse import urlsplit

ROOT = "resources/"


def downloads(config: dict) -> dict[str, dict]:
    """Map each file to download, as its path below resources/, to its `url` and `sha256`."""
    files = {model["weights"]: model for model in config["models"].values() if "url" in model}
    files |= {archive(source): source for source in _sources(config).values() if "sha256" in source}
    return _below({path: {key: source[key] for key in ("url", "sha256")} for path, source in files.items()})


def unpacked(config: dict, part: str) -> dict[str, dict]:
    """Map the path below resources/ of `images` or `annotations` to their `archive` and the `member` in it."""
    source = _sources(config).get(part)
    return _below({config["dataset"][part]: {"archive": archive(source), "member": source["member"]}}) if source else {}


def calibration(config: dict) -> dict[str, dict]:
    """Map the path below resources/ of `calibration` to its `url`, `count`, `archive` of annotations and `member`."""
    sources = _sources(config)
    if "calibration" not in sources:
        return {}
    source = {"archive": archive(sources["annotations"])} | sources["calibration"]
    return _below({config["dataset"]["calibration"]: source})


def archive(source: dict) -> str:
    """Return the path that the file of a source is downloaded to."""
    return ROOT + PurePosixPath(urlsplit(source["url"]).path).name


def pattern(paths: Iterable[str]) -> str:
    """Write the wildcard constraint that only these paths meet; none does when there are none."""
    return "|".join(map(re.escape, paths)) or "(?!)"


def _sources(config: dict) -> dict:
    return config["dataset"].get("sources", {})


def _below(sources: dict[str, dict]) -> dict[str, dict]:
    inside = {path for path in sources if path.startswith(ROOT) and ".." not in PurePosixPath(path).parts}
    return {path.removeprefix(ROOT): source for path, source in sources.items() if path in inside}
