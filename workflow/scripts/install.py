"""Install a list of envs/ into a virtual environment; the arguments are both paths. Standard library only."""

import sys
from pathlib import Path

from speedmap.errors import UserError
from speedmap.run import install


def main(venv: str, path: str) -> int:
    """Install, and say before what will be fetched; returns the exit code."""
    try:
        return install.install(Path(venv), Path(path))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
