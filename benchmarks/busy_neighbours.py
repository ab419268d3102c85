"""Run a command beside busy processes, and count what a table says of speeds that were taken beside them.

    python benchmarks/busy_neighbours.py run --processes 2 --seconds 300 -- snakemake --cores 2 results/table.md
    python benchmarks/busy_neighbours.py count results/table.md [another/table.md ...]

`run` ends the busy processes after the seconds, or with the command where that is sooner or no seconds are given, and
exits with the command's code. `count` prints for each table how many footnotes it has and the marks in its cells, how
many speeds may be quoted (of a table that does not say so: that have no mark), and how many sentences of its footnotes
give a cause, which it lists.
"""

import argparse
import multiprocessing
import re
import subprocess
import sys
import threading
from pathlib import Path

from tabulate import tabulate

CAUSE = re.compile(r"\bbecause\b|\bcost more than\b|\bwhich may be why\b")
HEADERS = ("table", "footnotes", "marks", "quotable", "speeds", "causes")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_subparsers(dest="what", required=True)
    runner = what.add_parser("run")
    runner.add_argument("--processes", type=int, default=2)
    runner.add_argument("--seconds", type=float, default=None, help="how long they are busy at most")
    runner.add_argument("command", nargs="+")
    what.add_parser("count").add_argument("tables", type=Path, nargs="+")
    options = parser.parse_args()
    if options.what == "run":
        sys.exit(beside(options.processes, options.seconds, options.command))
    texts = {path: path.read_text("utf-8") for path in options.tables}
    print(tabulate([(path, *counted(text)) for path, text in texts.items()], HEADERS, "github"))
    for path, text in texts.items():
        print(*(f"{path}: {sentence}" for sentence in causes(text)), sep="\n")


def spin() -> None:
    """Keep a processor busy."""
    while True:
        pass


def beside(count: int, seconds: float | None, command: list[str]) -> int:
    """Run a command beside busy processes; returns its exit code."""
    noise = [multiprocessing.Process(target=spin, daemon=True) for _ in range(count)]
    for process in noise:
        process.start()
    timer = threading.Timer(seconds or threading.TIMEOUT_MAX, end, [noise])
    timer.daemon = True
    timer.start()
    try:
        return subprocess.run(command, check=False).returncode
    finally:
        timer.cancel()
        end(noise)


def end(noise: list[multiprocessing.Process]) -> None:
    for process in noise:
        process.terminate()


def counted(text: str) -> tuple[int, int, int, int, int]:
    """Count footnotes, marks, quotable speeds, speeds and causes of a table."""
    top = text.partition("## Details")[0]
    speeds = re.findall(r"[\d.]+ ms(<sup>[\d,]+</sup>)?", top)
    said = re.search(r"^(?:All )?(\d+)(?: of (\d+))? speeds may be quoted", text, re.MULTILINE)
    quotable = int(said[1]) if said else speeds.count("")
    marks = sum(len(mark.split(",")) for mark in re.findall(r"<sup>([\d,]+)</sup>", top))
    return len(footnotes(text)), marks, quotable, len(speeds), len(causes(text))


def footnotes(text: str) -> list[str]:
    return re.findall(r"^\d+\. (.*)$", text.partition("## Details")[0], re.MULTILINE)


def causes(text: str) -> list[str]:
    """List the sentences of the footnotes that give a cause."""
    return [sentence for note in footnotes(text) for sentence in note.split("; ") if CAUSE.search(sentence)]


if __name__ == "__main__":
    main()
