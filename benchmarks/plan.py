"""Time how long Snakemake takes to plan a matrix of many cells.

    python benchmarks/plan.py 100 1000 [--backend openvino]

Prints, for each number of cells, how many jobs a dry run in an empty folder plans, and in how many seconds.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
CELLS_OF_MODEL = 4  # two precisions in two shapes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cells", type=int, nargs="+")
    parser.add_argument("--backend", default="openvino")
    options = parser.parse_args()
    for cells in options.cells:
        with tempfile.TemporaryDirectory() as folder:
            seconds, jobs = plan(Path(folder), cells, options.backend)
        print(f"{cells} cells: {jobs} jobs planned in {seconds:.1f} s")


def plan(folder: Path, cells: int, backend: str) -> tuple[float, int]:
    """Plan the table of so many cells; returns the seconds and the number of jobs."""
    weights = {"weights": str(ROOT / "sample/yolov5s-mini.safetensors")}
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    config |= {"backend": backend, "models": {f"model{index}": weights for index in range(cells // CELLS_OF_MODEL)}}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    (folder / "sample").symlink_to(ROOT / "sample")
    command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--directory", folder,
               "--cores", "2", "--dry-run", "results/table.md", "--quiet", "rules"]  # fmt: skip
    start = time.perf_counter()
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    total = next(line for line in done.stdout.splitlines() if line.startswith("total "))
    return seconds, int(total.split()[1])


if __name__ == "__main__":
    main()
