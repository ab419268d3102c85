"""Print the records of the last table that cannot be quoted, for `make again`."""

import sys
from pathlib import Path

from speedmap.errors import UserError
from speedmap.run import advice


def main() -> None:
    """Print their paths in one line; the table's where there is none."""
    try:
        print(*advice.spoilt(Path("results/environment.json")))
    except UserError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
