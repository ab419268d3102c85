"""Hashes of what Snakemake does not watch: the library's code, and files in folders."""

import ast
from functools import cache
from hashlib import sha256
from pathlib import Path

PACKAGE = "speedmap"


def fingerprint_of(scripts: Path, script: str, *modules: str) -> str:
    """Hash an adapter, the named modules of the library, and every module of the library that these import."""
    return sha256(b"".join(path.read_bytes() for path in sorted(sources(scripts, script, *modules)))).hexdigest()[:12]


def stamp(folder: str) -> str:
    """Hash the names and sizes of files below a folder, hidden ones apart: its time tells of names only.

    Without the files' times, since a checkout or a copy gives every file a new one.
    """
    files = sorted(path for path in Path(folder).rglob("*") if not path.name.startswith("."))
    facts = [(str(path), path.stat().st_size) for path in files if path.is_file()]
    return sha256(repr(facts).encode()).hexdigest()[:12]


def contents(folder: str) -> str:
    """Hash the names and contents of the files in a folder, for few: a change that keeps the size is seen, too."""
    files = sorted(path for path in Path(folder).glob("*") if not path.name.startswith("."))
    facts = [(str(path), sha256(path.read_bytes()).hexdigest()) for path in files if path.is_file()]
    return sha256(repr(facts).encode()).hexdigest()[:12]


def sources(scripts: Path, script: str, *modules: str) -> set[Path]:
    """Find the files that an adapter and the named modules of the library consist of, these included."""
    found, waiting = set(), [scripts / f"{script}.py", *(scripts / PACKAGE / f"{name}.py" for name in modules)]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += [scripts / PACKAGE / f"{name}.py" for name in _imports(path)]
    return found


@cache
def _imports(path: Path) -> tuple[str, ...]:
    """Name the library's modules that a file imports by `from speedmap import x` or `from speedmap.x import y`."""
    names = []
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.ImportFrom) and node.module == PACKAGE:
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{PACKAGE}."):
            names.append(node.module.removeprefix(f"{PACKAGE}."))
    return tuple(name for name in names if (path.parent / f"{name}.py").exists() or path.parent.name != PACKAGE)
