"""What speaks against a published folder as a stranger hands it in: not whole, of several machines, or edited."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from msgspec import Struct

from speedmap import storage
from speedmap.publishing import folders, signs
from speedmap.publishing.folders import MANIFEST
from speedmap.publishing.publish import owned
from speedmap.results import checks, records
from speedmap.results.accuracy import Accuracy
from speedmap.results.cell_result import CellResult, gather
from speedmap.results.inventory import PublishedDataset
from speedmap.results.prepared import Choice, Engine, Verification
from speedmap.results.records import RecordError
from speedmap.results.reported import Manifest, Provenance
from speedmap.results.speed import Speed
from speedmap.results.speedup import Speedup

KINDS: dict[str, type[Struct]] = {
    "speed": Speed,
    "accuracy": Accuracy,
    "engine": Engine,
    "verify": Verification,
    "speedup": Speedup,
    "dataset": PublishedDataset,
    "environment": Provenance,
}
NEEDED = {"table.md", "table.csv", "dataset.json", "environment.json"}
LARGEST = 2**26  # bytes of a file; a record of 100,000 samples has two million
AGAIN = "publish the run again"


def problems(folder: Path) -> list[str]:
    """Return what speaks against a published folder, a line each with its remedy; [] for nothing."""
    if not (folder / MANIFEST).is_file():
        return [f"{folder}: has no {MANIFEST}; hand in the whole folder that publishing wrote"]
    try:
        facts = records.read(folder / MANIFEST, Manifest)
    except RecordError as error:
        return [str(error)]
    for stage in (_manifest, _files, _schemas):  # of what is not whole nothing else can be said
        if wrong := list(stage(folder, facts)):
            return wrong
    rows = gather(folders.recorded(folder))
    return [*_machine(folder, facts, rows), *_environment(folder, rows), *signs.edited(folder, facts, rows)]


def _manifest(folder: Path, facts: Manifest) -> Iterator[str]:
    """Yield what is wrong with the manifest itself."""
    path = folder / MANIFEST
    listed = {*facts.files, *(record.removeprefix("results/") for record in facts.records)}
    if outside := [name for name in sorted(listed) if not _inside(name)]:
        yield f"{path}: names {outside[0]!r}, which does not lie in its folder; {AGAIN}"
    if not facts.records:
        yield f"{path}: names no figure; {AGAIN}"
    if not facts.files:
        yield f"{path}: names no hashes, as it was before there were any; {AGAIN}"
    elif missing := sorted((listed | NEEDED) - facts.files.keys()):
        yield f"{path}: has no hash of {missing[0]}; {AGAIN}"
    if not signs.is_time(facts.published):
        yield f"{path}: published {facts.published!r}, which is no time; {AGAIN}"
    if facts.objections:
        yield f"{path}: was published by force, although {facts.objections[0]}; measure again"
    if folder.name != (name := folders.folder(facts.backend, {"device": facts.device, facts.backend: facts.version})):
        yield f"{path}: is of {facts.device} with {facts.backend} {facts.version}; name its folder {name}"


def _inside(name: str) -> bool:
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts


def _files(folder: Path, facts: Manifest) -> Iterator[str]:
    """Yield each file that is not there, not as it was published, or not named."""
    for name, digest in facts.files.items():
        path = folder / name
        if not path.is_file():
            yield f"{path}: is not there; {AGAIN}"
        elif path.resolve() != folder.resolve() / name:
            yield f"{path}: is a link; put the file itself there"
        elif path.stat().st_size > LARGEST:
            yield f"{path}: has {path.stat().st_size / 2**20:.0f} MiB, more than a record has; {AGAIN}"
        elif storage.sha256(path) != digest:
            yield f"{path}: is not the file that was published, as its hash says; undo the change, or {AGAIN}"
    for path in sorted(owned(folder, facts.backend)):
        if (name := str(path.relative_to(folder))) not in facts.files:
            yield f"{path}: was not published with the rest; take it out, or {AGAIN}"


def _schemas(folder: Path, facts: Manifest) -> Iterator[str]:
    """Yield each record that is none of its kind, or of another cell."""
    for path in (folder / name for name in facts.files if name.endswith(".json")):
        kind = Choice if path.parent.name == "calibration" else KINDS.get(path.name.split(".")[0])
        if kind is None:
            yield f"{path}: is no record that is published; take it out"
            continue
        try:
            record = records.read(path, kind)
            if isinstance(record, Speed | Accuracy):
                checks.checked([str(path)])
                yield from (
                    f"{path}: {text} is no time; {AGAIN}" for text in signs.times(record) if not signs.is_time(text)
                )
        except RecordError as error:
            yield str(error)


def _machine(folder: Path, facts: Manifest, rows: list[CellResult]) -> Iterator[str]:
    """Yield each record that was not measured on the machine that the manifest names, or with other software.

    Torch's may be of another Python than the backend's: one that has both is not to be had for every TensorRT.
    """
    first = next(record.environment for row in rows for record in row.measured)
    software: dict[bool, dict[str, str]] = {}
    for place, record in _measured(folder, rows):
        here, torch = record.environment, record.cell.backend == "torch"
        same = {
            "device": folders.device(here.platform) == facts.device,
            "processor": here.cpu == first.cpu,
            "software": here.versions == software.setdefault(torch, here.versions),
            facts.backend: torch or here.platform.get(facts.backend) == facts.version,
        }
        for name in (name for name, holds in same.items() if not holds):
            yield f"{place}: is of another {name} than {MANIFEST} or the other records; measure all on one machine"


def _measured(folder: Path, rows: list[CellResult]) -> Iterator[tuple[str, Speed | Accuracy]]:
    """Yield each record with the file that it stands in."""
    for row in rows:
        for record in row.measured:
            yield f"{folder / row.title}/{'speed' if isinstance(record, Speed) else 'accuracy'}.json", record


def _environment(folder: Path, rows: list[CellResult]) -> Iterator[str]:
    """Yield what a record does not tell of its machine and its code."""
    for place, record in _measured(folder, rows):
        environment = record.environment
        told = {
            "commit": environment.commit,
            "processor": environment.cpu,
            "system": environment.system,
            "version of Python": environment.versions.get("python"),
            **(environment.platform if record.cell.backend != "torch" else {}),
        }
        for name in (name for name, value in told.items() if not value):
            yield f"{place}: does not tell the {name}; measure again where it is known"
        if environment.dirty:
            yield f"{place}: is of changed code; measure again from a clean commit"
