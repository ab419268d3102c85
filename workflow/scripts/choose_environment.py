"""Print the list of envs/ that fits this machine, and to stderr why; standard library only."""

import sys

from speedmap.run import install


def main() -> int:
    """Print the choice; returns the exit code."""
    choice = install.asked()
    print(f"envs/{choice.environment}.txt: {choice.reason}", file=sys.stderr)
    print(choice.environment)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
