"""The folders below results/published, by device and backend version; loads nothing that a plan has no use for."""

import json
import re
from pathlib import Path
from typing import NamedTuple

from speedmap.errors import UserError

ROOT = Path("results/published")
MANIFEST = "published.json"
USUAL = re.compile(r"NVIDIA|GeForce|\d+GB|HBM\w+")  # words in a device's name that its folder does without


class Identity(NamedTuple):
    """What a published folder is about. version: of the backend."""

    device: str
    backend: str
    version: str


class Published(NamedTuple):
    """What a plan reads of a manifest."""

    device: str
    backend: str
    published: str
    records: list[str]


class PublishError(UserError):
    """Results that should not be published, or a baseline that is not there; the message names the remedy."""


def device(platform: dict) -> str:
    """Name what an engine runs on: the GPU, else the processor."""
    return platform.get("gpu") or platform.get("device") or "unknown"


def identity(backend: str, platform: dict) -> Identity:
    """Return what a folder of these figures is about."""
    return Identity(device(platform), backend, platform.get(backend) or "")


def folder(backend: str, platform: dict) -> str:
    """Name the folder of a device and a release, such as `h100-tensorrt10.3`; its manifest has both in full."""
    name, _, version = identity(backend, platform)
    short = " ".join(word for word in name.split() if not USUAL.fullmatch(word))
    return f"{_slug(short)}-{backend}{'.'.join(version.split('.')[:2])}"


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-")


def baseline(wanted: str | None, backend: str, platform: dict, root: Path = ROOT) -> Path:
    """Find the folder to compare with: the wanted one, else the newest of this device and backend below `root`."""
    if wanted:
        if not Path(wanted, MANIFEST).is_file():
            raise PublishError(f"baseline: {wanted} holds no published results; name a folder below {ROOT}")
        return Path(wanted)
    here = device(platform), backend  # of any version
    fitting = [path for path, facts in manifests(root).items() if (facts.device, facts.backend) == here]
    if not fitting:
        raise PublishError(f"nothing is published for {here[0]} yet; publish a run, or set baseline in the config")
    return fitting[-1]


def manifests(root: Path = ROOT) -> dict[Path, Published]:
    """Read what was published, the newest last; by folder."""
    by_folder = {path.parent: _manifest(path) for path in root.glob(f"*/{MANIFEST}")}
    return dict(sorted(by_folder.items(), key=lambda item: str(item[1].published)))


def _manifest(path: Path) -> Published:
    """Read a manifest as plain JSON, since a plan has to do with Snakemake alone."""
    try:
        facts = json.loads(path.read_text("utf-8"))
        return Published(*(facts[name] for name in Published._fields))
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise PublishError(
            f"{path}: no manifest of published results; move its folder away, or undo the change"
        ) from error


def handed_in(root: Path = ROOT) -> list[str]:
    """List the folders of published results, whatever is in them."""
    return sorted(str(path) for path in root.iterdir() if path.is_dir()) if root.is_dir() else []


def recorded(source: Path) -> list[str]:
    """List the speed and accuracy records of a published folder, in the order in which its cells stood."""
    return [str(source / Path(path).relative_to("results")) for path in _manifest(source / MANIFEST).records]
