"""Hold the error of a mAP that records keep, and of a difference of two, against a bootstrap of 1000 other draws.

    python benchmarks/map_error.py instances.json results/openvino/*/detections.json

Prints each standard error in points, the ratio of the two, and what they cost beside the evaluation.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow/scripts"))

from speedmap.accuracy import bootstrap as map_bootstrap
from speedmap.accuracy import evaluate, paired_difference
from speedmap.dataset import coco

REPLICATIONS = 1000


def bootstrap(evaluation: object, seed: int = map_bootstrap.SEED + 1) -> dict[str, np.ndarray]:
    """Evaluate on single images drawn anew, the same draws for every call."""
    images = len(evaluation.params.imgIds)
    weights = np.random.default_rng(seed).multinomial(images, np.full(images, 1 / images), REPLICATIONS)
    return map_bootstrap.weighted(evaluation, weights)


def compare(name: str, kept: np.ndarray, drawn: np.ndarray) -> None:
    """Print both standard errors in points."""
    ours, theirs = (100 * paired_difference.standard_error(values) for values in (kept, drawn))
    print(f"{name:40} records {ours:.3f}  bootstrap {theirs:.3f}  ratio {ours / theirs:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("annotations", type=Path)
    parser.add_argument("detections", type=Path, nargs="+", help="the others are compared with the first, too")
    options = parser.parse_args()
    truth, found = coco.parse(options.annotations), {}
    images = [image.id for image in truth.images]
    for file in options.detections:
        results = json.loads(file.read_text())
        start = time.perf_counter()
        evaluation = evaluate.evaluation(truth, results, images)
        evaluated = time.perf_counter()
        kept = map_bootstrap.draws(evaluation)
        print(f"{file}: evaluation {evaluated - start:.2f} s, draws {time.perf_counter() - evaluated:.2f} s")
        found[str(file.parent)] = np.array(kept.map), bootstrap(evaluation)["map"]
    (first, (first_kept, first_drawn)), *others = found.items()
    for name, (kept, drawn) in found.items():
        compare(name, kept, drawn)
    for name, (kept, drawn) in others:
        compare(f"{name} - {first}", kept - first_kept, drawn - first_drawn)


if __name__ == "__main__":
    main()
