"""Hold the error of a mAP that records keep, and of a difference of two, against a bootstrap of 1000 other draws.

Usage: python benchmarks/map_error.py INSTANCES.json DETECTIONS.json [OTHER_DETECTIONS.json ...]

Prints each standard error in points, the ratio of the two, and what they cost beside the evaluation.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow/scripts"))

from speedmap import coco, differences, map_error

REPLICATIONS = 1000


def bootstrap(evaluation: object, seed: int = map_error.SEED + 1) -> dict[str, np.ndarray]:
    """Evaluate on single images drawn anew, the same draws for every call."""
    images = len(evaluation.params.imgIds)
    weights = np.random.default_rng(seed).multinomial(images, np.full(images, 1 / images), REPLICATIONS)
    return map_error.weighted(evaluation, weights)


def compare(name: str, kept: np.ndarray, drawn: np.ndarray) -> None:
    """Print both standard errors in points."""
    ours, theirs = (100 * differences.standard_error(values) for values in (kept, drawn))
    print(f"{name:40} records {ours:.3f}  bootstrap {theirs:.3f}  ratio {ours / theirs:.2f}")


def main(annotations: str, *files: str) -> None:
    """Compare for each file, and for the difference of each from the first."""
    found = {}
    for file in files:
        results = json.loads(Path(file).read_text())
        start = time.perf_counter()
        evaluation = coco.evaluation(Path(annotations), results, sorted({entry["image_id"] for entry in results}))
        evaluated = time.perf_counter()
        kept = map_error.draws(evaluation)
        print(f"{file}: evaluation {evaluated - start:.2f} s, draws {time.perf_counter() - evaluated:.2f} s")
        found[Path(file).parent.name] = np.array(kept["map"]), bootstrap(evaluation)["map"]
    (first, (first_kept, first_drawn)), *others = found.items()
    for name, (kept, drawn) in found.items():
        compare(name, kept, drawn)
    for name, (kept, drawn) in others:
        compare(f"{name} - {first}", kept - first_kept, drawn - first_drawn)


if __name__ == "__main__":
    main(*sys.argv[1:])
