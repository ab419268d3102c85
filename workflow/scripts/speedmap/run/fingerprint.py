"""Hashes of what Snakemake does not watch: the library's code, and files in folders."""

import ast
import os
import re
from collections.abc import Iterable, Iterator
from functools import cache
from hashlib import sha256
from pathlib import Path

from speedmap.dataset import image_files

PACKAGE = "speedmap"
# An import of the library, at any depth: on a line of its own, as the linter has it. All of a file takes long to parse.
IMPORT = re.compile(rf"^[ \t]*((?:from|import) +{PACKAGE}\b[^\n(]*(?:\([^)]*\))?)", re.MULTILINE)
LEFT_OUT = {  # of what makes a figure: words, and how a job is locked
    "errors", "errors.known", "errors.explain", "run.job", "run.workdir_lock",
}  # fmt: skip


def fingerprint_of(scripts: Path, script: str, *modules: str) -> str:
    """Hash an adapter, the named modules of the library (`engines.null`), and all of it that these import."""
    return sha256(b"".join(path.read_bytes() for path in sorted(sources(scripts, script, *modules)))).hexdigest()[:12]


def stamp(folder: str) -> str:
    """Hash the names and sizes of files below a folder, hidden ones apart: its time tells of names only.

    Without the files' times, since a checkout or a copy gives every file a new one.
    """
    files = sorted(path for path in _below(folder) if not path.name.startswith("."))
    facts = [(str(path), path.stat().st_size) for path in files if path.is_file()]
    return sha256(repr(facts).encode()).hexdigest()[:12]


def target(path: str) -> tuple[str, int]:
    """Return where a path leads through links, from here, and the size of a file there, which a link's time tells not.

    Without links this is the path itself, wherever the folder that one works in is moved to.
    """
    place = Path(path).resolve()
    return os.path.relpath(place, Path.cwd()), place.stat().st_size if place.is_file() else 0


def _below(folder: str) -> Iterator[Path]:
    """Yield the files below a folder, those behind links to folders among them; a link to what holds it has no end."""
    waiting = [(Path(folder), frozenset())]
    while waiting:
        path, above = waiting.pop()
        place = path.resolve()
        if path.is_dir() and place not in above:
            inside = list(path.iterdir())
            yield from (one for one in inside if not one.is_dir())
            waiting += [(one, above | {place}) for one in inside if one.is_dir()]


def contents(folder: str) -> str:
    """Hash the names and contents of the files in a folder, or in a list: a change that keeps the size is seen, too."""
    if Path(folder).is_file():
        return contents_of(image_files.listed(Path(folder)))
    return contents_of(sorted(path for path in Path(folder).glob("*") if not path.name.startswith(".")))


def contents_of(files: Iterable[Path]) -> str:
    """Hash the names and contents of files, for few."""
    facts = [(str(path), sha256(path.read_bytes()).hexdigest()) for path in files if path.is_file()]
    return sha256(repr(facts).encode()).hexdigest()[:12]


def sources(scripts: Path, script: str, *modules: str) -> set[Path]:
    """Find the files that an adapter and the named modules of the library consist of, these included."""
    library, files = scripts / PACKAGE, set()
    waiting = [scripts / f"{script}.py", *(_file(library, name) for name in modules)]
    while waiting:
        path = waiting.pop()
        if path not in files:
            files.add(path)
            waiting += [_file(library, name) for name in _imports(path, library) if name not in LEFT_OUT]
    return files


def _file(library: Path, name: str) -> Path:
    """Find the file of a module or a package; FileNotFoundError when there is neither."""
    path = library.joinpath(*name.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    if not file.is_file():
        raise FileNotFoundError(f"{PACKAGE}.{name}: neither {path}.py nor a package")
    return file


@cache
def _imports(path: Path, library: Path) -> tuple[str, ...]:
    """Name the library's modules that a file imports, in any form of an import; a package's __init__ counts as one."""
    names: list[str] = []
    for node in ast.parse("\n".join(IMPORT.findall(path.read_text("utf-8")))).body:
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    inside = [name.removeprefix(f"{PACKAGE}.") for name in names if name.startswith(f"{PACKAGE}.")]
    # `from speedmap.a import b` names a module a.b or something in a
    return tuple(dict.fromkeys(name for name in inside if _is_module(library.joinpath(*name.split(".")))))


def _is_module(path: Path) -> bool:
    return path.is_dir() or path.with_suffix(".py").is_file()
