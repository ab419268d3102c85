"""Hold the jackknife's error of a mAP, and of a difference of two, against a bootstrap over images.

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


def bootstrap(evaluation: object, seed: int = 0) -> dict[str, np.ndarray]:
    """Evaluate on resampled images, the same resamples for every call."""
    images = len(evaluation.params.imgIds)
    weights = np.random.default_rng(seed).multinomial(images, np.full(images, 1 / images), REPLICATIONS)
    return map_error.weighted(evaluation, weights)


def compare(name: str, influence: np.ndarray, resampled: np.ndarray) -> None:
    """Print both standard errors in points."""
    jackknife, boot = 100 * differences.standard_error(influence), 100 * resampled.std(ddof=1)
    print(f"{name:40} jackknife {jackknife:.3f}  bootstrap {boot:.3f}  ratio {jackknife / boot:.2f}")


def main(annotations: str, *files: str) -> None:
    """Compare for each file, and for the difference of each from the first."""
    found = {}
    for file in files:
        results = json.loads(Path(file).read_text())
        start = time.perf_counter()
        evaluation = coco.evaluation(Path(annotations), results, sorted({entry["image_id"] for entry in results}))
        evaluated = time.perf_counter()
        influences = map_error.influences(evaluation)
        print(f"{file}: evaluation {evaluated - start:.2f} s, jackknife {time.perf_counter() - evaluated:.2f} s")
        found[Path(file).parent.name] = np.array(influences["map"]), bootstrap(evaluation)["map"]
    (first, (first_influence, resampled_first)), *others = found.items()
    for name, (influence, resampled) in found.items():
        compare(name, influence, resampled)
    for name, (influence, resampled) in others:
        compare(f"{name} - {first}", influence - first_influence, resampled - resampled_first)


if __name__ == "__main__":
    main(*sys.argv[1:])
