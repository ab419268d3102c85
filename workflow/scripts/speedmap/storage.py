"""Files that are whole or absent, and their hashes."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary sibling of `path` that takes its place, synced to disk, only if the block succeeds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield temporary
        _sync(temporary)
        temporary.replace(path)
        with suppress(OSError):  # not every file system syncs folders
            _sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """Bring a file, or the names in a folder, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256(path: Path) -> str:
    """Hash a file's content."""
    with named(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def pretender(path: Path) -> str | None:
    """Return what a file is that a download or checkout left in another's place, and the remedy; None for others."""
    with path.open("rb") as file:
        head = file.read(512).lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not head:
        return "an empty file; copy or fetch it again"
    if head.startswith(b"version https://git-lfs"):
        return "a git-lfs pointer, not the file itself; run `git lfs pull` where it came from"
    if head.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return "an HTML page, as links to a download page give; fetch the file itself"
    return None


def named(path: Path) -> Path:
    """Return where the file of this name lies, whose bytes are UTF-8, too, where the locale says another coding."""
    if path.exists():
        return path
    with suppress(UnicodeEncodeError):
        other = Path(os.fsdecode(str(path).encode()))
        return other if other.exists() else path
    return path
