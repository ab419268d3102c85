"""Zip archives, of which only the wanted members are unpacked, and only where they belong."""

import shutil
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from zipfile import BadZipFile, ZipFile, ZipInfo

from tqdm import tqdm

from speedmap.dataset.download import require_space
from speedmap.errors import UserError

DAMAGED = (BadZipFile, NotImplementedError, zlib.error, EOFError)  # a wrong CRC in the middle, an unknown compression
RATIO = 100  # annotations shrink about 10 times in a zip; what claims to have shrunk more than this is a bomb


class ArchiveError(UserError):
    """An archive that cannot be unpacked; the message names it, the cause and the remedy."""


def unpack(archive: Path, member: str, target: Path) -> None:
    """Unpack a folder of a zip file (`member` ends with "/") to the folder `target`, or one file of it to that file.

    It grows beside `target` and takes its place when complete. Raises ArchiveError, after which there is no `target`.
    """
    part = target.with_name(f"{target.name}.part")
    _remove(part)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with open_archive(archive) as file:
            infos = wanted(file.infolist(), member, archive)
            _check_size(infos, archive, target)
            for info in tqdm(infos, f"unpacking {archive.name}", unit="file", disable=None, leave=False):
                _extract(file, info, part / info.filename.removeprefix(member))
        part.replace(target)
    finally:
        _remove(part)


@contextmanager
def open_archive(archive: Path) -> Iterator[ZipFile]:
    """Open a zip file; ArchiveError when it is none, or what is read from it in the block turns out to be damaged."""
    try:
        with ZipFile(archive) as file:
            yield file
    except DAMAGED as error:
        raise ArchiveError(f"{archive}: no zip file, or a damaged one ({error}); move it away and run again") from error


def wanted(infos: list[ZipInfo], member: str, archive: Path) -> list[ZipInfo]:
    """Choose the files at or below `member`; ArchiveError when there are none, or one would land outside its folder."""
    chosen = [info for info in infos if not info.is_dir() and _matches(info.filename, member)]
    if not chosen:
        raise ArchiveError(f"{archive}: nothing named {member} in it; correct `member` in the config")
    for info in chosen:
        if not _safe(info):
            raise ArchiveError(f"{archive}: {info.filename!r} is a link or leads out of its folder; do not trust it")
    return chosen


def _matches(name: str, member: str) -> bool:
    return name.startswith(member) if member.endswith("/") else name == member


def _safe(info: ZipInfo) -> bool:
    path = PurePosixPath(info.filename)
    plain = not (path.is_absolute() or ".." in path.parts or "\\" in info.filename or "//" in info.filename)
    return plain and not stat.S_ISLNK(info.external_attr >> 16)


def _check_size(infos: list[ZipInfo], archive: Path, target: Path) -> None:
    size = sum(info.file_size for info in infos)  # zipfile reads no more than this, whatever the data would inflate to
    if size > RATIO * archive.stat().st_size:
        raise ArchiveError(f"{archive}: would unpack to {size / 1e6:.0f} MB, {RATIO} times its size; do not trust it")
    require_space(target.parent, size, f"unpacking {archive}")


def _extract(file: ZipFile, info: ZipInfo, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with file.open(info) as source, target.open("xb") as sink:
        shutil.copyfileobj(source, sink, 1 << 20)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
