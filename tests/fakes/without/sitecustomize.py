"""Let packages be not installed: on this path in PYTHONPATH, with their names in WITHOUT, separated by commas."""

import importlib.abc
import os
import sys

REFUSED = frozenset(os.environ.get("WITHOUT", "").split(","))


class Refusing(importlib.abc.MetaPathFinder):
    """Finds no module of a refused package."""

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        """Raise ModuleNotFoundError for a refused package, as if nothing had it; leave the others to other finders."""
        if fullname.partition(".")[0] in REFUSED:
            raise ModuleNotFoundError(f"No module named {fullname!r}: it is refused here", name=fullname)


sys.meta_path.insert(0, Refusing())
