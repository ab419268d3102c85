"""Published results: one folder a device and backend version, committed, and the index of all of them."""

import shutil
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from msgspec import structs

from speedmap import storage
from speedmap.publishing.folders import MANIFEST, Identity, PublishError
from speedmap.reporting.footnotes import words
from speedmap.results import records
from speedmap.results.accuracy import Accuracy
from speedmap.results.cell_result import CellResult, gather
from speedmap.results.inventory import Dataset, PublishedDataset
from speedmap.results.reported import Manifest
from speedmap.results.speed import Speed

OWNED = ("table.*", "dataset.json", "environment.json", "calibration/*.json", "torch/**/*.json", "{backend}/**/*.json")


def objections(rows: list[CellResult]) -> list[str]:
    """Name what speaks against publishing some rows, [] for nothing."""
    taken = [record for row in rows for record in row.measured]
    invalid = [f"{row.title} is invalid: {words(row.invalid[0])}" for row in rows if row.invalid]
    return invalid + [text for text in [_uncommitted(taken)] if text]


def _uncommitted(taken: list[Speed | Accuracy]) -> str:
    if any(not record.environment.commit for record in taken):
        return "no commit is known for these figures"
    dirty = any(record.environment.dirty for record in taken)
    return "the clone was dirty when they were measured" if dirty else ""


def publish(paths: list[str], others: list[str], target: Path, identity: Identity, force: bool) -> None:
    """Copy records, and other files below results/, into a device's folder, with a manifest; older ones go.

    All are copied before any takes its place, and older ones go last, so that the manifest always names files that are
    there. Other folders beside these, made by hand, stay. paths: speed and accuracy records. identity: for the
    manifest. Raises PublishError on any objection unless forced.
    """
    rows = gather(paths)
    found = objections(rows)
    _check_owner(target, identity)
    if found and not force:
        raise PublishError(f"{'; '.join(found)}; measure again from a clean commit, or set publish.force in the config")
    root = target.parents[1]  # results, with the prefix that a module may have
    copies = {target / path.relative_to(root): path for path in map(Path, [*paths, *others])}
    with ExitStack() as places:  # which are taken in reverse order, so the manifest's last
        manifest, files = places.enter_context(storage.atomic(target / MANIFEST)), {}
        for place, source in copies.items():
            copy = places.enter_context(storage.atomic(place))
            _copy(source, copy)
            files[str(place.relative_to(target))] = storage.sha256(copy)
        facts = Manifest(
            **identity._asdict(),
            published=datetime.now(UTC).isoformat(timespec="seconds"),
            commit=next(record.environment.commit for row in rows for record in row.measured),
            objections=found,
            records=[f"results/{Path(path).relative_to(root)}" for path in paths],
            files=files,
        )
        records.write(manifest, facts)
    for old in owned(target, identity.backend) - copies.keys():
        old.unlink()


def owned(target: Path, backend: str) -> set[Path]:
    """Find the files of a published folder that publishing writes and takes away."""
    return {path for pattern in OWNED for path in target.glob(pattern.format(backend=backend))}


def _check_owner(target: Path, identity: Identity) -> None:
    """Refuse a folder with the results of another device whose short name is the same."""
    path = target / MANIFEST
    there = records.read(path, Manifest).device if path.is_file() else identity.device
    if there != identity.device:
        raise PublishError(f"{target} holds results of {there}; move it before those of {identity.device} come there")


def _copy(source: Path, target: Path) -> None:
    """Copy a file; of the data set's inventory only what it sums up, without the list of its images."""
    if source.name == "dataset.json":
        content = records.read(source, Dataset)
        counts = {"images": len(content.images), "calibration": len(content.calibration)}
        facts = {
            key: value for key, value in structs.asdict(content).items() if key != "asked"
        }  # paths of this machine
        records.write(target, PublishedDataset(**facts | counts))
    else:
        shutil.copyfile(source, target)
