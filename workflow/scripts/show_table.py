"""Print a table.md so that a terminal shows it; the arguments are its path, and the command that makes the report."""

import shutil
import sys
from pathlib import Path

from speedmap.reporting import plain

NARROW, WIDE = 60, 100  # columns, between which texts are as wide as the terminal


def main(path: str, report: str) -> None:
    """Print the page up to its details, and where these are."""
    width = min(max(shutil.get_terminal_size((WIDE, 24)).columns, NARROW), WIDE)
    print(plain.page(Path(path).read_text("utf-8"), width))
    print(f"Details: {path}. All of it with pictures: {report}")


if __name__ == "__main__":
    main(*sys.argv[1:])
