"""Check a machine before the run; the arguments are config files, config.yaml if there are none."""

import sys

from speedmap.run import doctor


def main(files: list[str]) -> int:
    """Print the report; returns the exit code, 1 when no backend can run."""
    lines, can_run = doctor.report(files)
    print(*lines, sep="\n")
    return 0 if can_run else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:] or ["config.yaml"]))
