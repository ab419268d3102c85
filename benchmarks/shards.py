"""Detect in a data set in one job and in several, and compare the mAP to the last digit.

    python benchmarks/shards.py --config tests/configs/coco-dev.yaml --model yolov5n-v7.0 1 3 7

Prints the mAP of each number of jobs; exits with 1 when any metric, or any detection, differs from the first's.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shards", type=int, nargs="+")
    parser.add_argument("--config", type=Path, default=ROOT / "tests/configs/coco-dev.yaml")
    parser.add_argument("--model", default="yolov5n-v7.0")
    options = parser.parse_args()
    config = yaml.safe_load(options.config.read_text())
    config |= {"models": {options.model: config["models"][options.model]}, "precisions": ["fp16"], "torch": False}
    with tempfile.TemporaryDirectory() as folder:
        overlay = Path(folder, "overlay.yaml")
        overlay.write_text(yaml.safe_dump(config))
        cell = Path("results", config["backend"], f"{options.model}-fp16-dynamic")
        results = [detect(cell, overlay, shards) for shards in options.shards]
    sys.exit(any(result != results[0] for result in results))


def detect(cell: Path, overlay: Path, shards: int) -> tuple[dict, str]:
    """Detect anew in so many jobs; returns the metrics and the text of the detections."""
    command = [sys.executable, "-m", "snakemake", "--cores", "all", "--set-scatter", f"images={shards}", "--forcerun",
               "detect", "--configfile", overlay, "--", cell / "accuracy.json"]  # fmt: skip
    start = time.perf_counter()
    done = subprocess.run(list(map(str, command)), cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    record = json.loads((ROOT / cell / "accuracy.json").read_text())
    print(f"{len(record['runs'])} jobs: mAP {record['metrics']['map']!r} on {record['dataset']['images']} images, "
          f"{time.perf_counter() - start:.0f} s")  # fmt: skip
    return record["metrics"], (ROOT / cell / "detections.json").read_text()


if __name__ == "__main__":
    main()
