"""Show what explicit INT8 gains over TensorRT's own calibration: one table from two runs over the same images.

    python benchmarks/implicit_contrast.py results/tensorrt ../implicit/results/tensorrt > implicit.md

The first folder is of a run with `int8: {method: explicit}`, FP16 among its cells, the second of one with `implicit`.
Prints markdown: mAP in points with the change from FP16, and the median device time of an image; below, the difference
of the two mAPs with its standard error, paired by image, and whatever casts doubt on a figure.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow/scripts"))

from speedmap.accuracy import paired_difference
from speedmap.reporting.footnotes import words
from speedmap.results import records
from speedmap.results.accuracy import Accuracy
from speedmap.results.prepared import Engine, Verification
from speedmap.results.speed import Speed

HEADER = """|Model|Shape|FP16<br><sup>mAP|INT8 explicit<br><sup>mAP|INT8 explicit<br><sup>ms|INT8 implicit<br><sup>mAP\
|INT8 implicit<br><sup>ms|
|---|---|---|---|---|---|---|"""
SAME = ("gpu", "compute_capability", "tensorrt")  # of the platform, if two runs are to be compared


@dataclass(frozen=True)
class Records:
    """The records of a cell that are there."""

    speed: Speed | None = None
    accuracy: Accuracy | None = None
    engine: Engine | None = None
    verify: Verification | None = None


def cell(folder: Path) -> Records:
    """Read the records of a cell; stops where speed and mAP are not of one engine."""
    kinds = {"speed": Speed, "accuracy": Accuracy, "engine": Engine, "verify": Verification}
    paths = {name: folder / f"{name}.json" for name in kinds}
    read = Records(
        **{name: records.read(path, kinds[name]) if path.is_file() else None for name, path in paths.items()}
    )
    if len({record.artefact.engine_sha256 for record in (read.speed, read.accuracy) if record}) > 1:
        raise SystemExit(f"{folder}: speed.json and accuracy.json are of different engines; measure it again")
    return read


def check_method(folder: Path, read: Records, implicit: bool) -> None:
    """Stop where a folder holds the other method than it is said to."""
    if read.engine and ("calibration" in read.engine.build) != implicit:
        raise SystemExit(f"{folder}: not built with int8: {{method: {'implicit' if implicit else 'explicit'}}}")


def check_alike(cells: dict[str, Records]) -> None:
    """Stop where cells that are to be compared saw other images or ran on another GPU or TensorRT."""
    images = {read.accuracy.dataset.sha256 for read in cells.values() if read.accuracy}
    machines = {tuple(read.engine.platform.get(key) for key in SAME) for read in cells.values() if read.engine}
    if len(images) > 1 or len(machines) > 1:
        raise SystemExit(f"the two runs cannot be compared: {len(images)} data sets, platforms {sorted(machines)}")


def map_of(read: Records, half: Records | None = None) -> str:
    """Write a mAP in points, with its change from that of FP16."""
    if not read.accuracy:
        return "-"
    points = 100 * read.accuracy.metrics.map
    if not half or not half.accuracy:
        return f"{points:.2f}"
    return f"{points:.2f} ({points - 100 * half.accuracy.metrics.map:+.2f})"


def time_of(read: Records) -> str:
    """Write a median time in milliseconds."""
    return f"{read.speed.summary.median_ms:.3f}" if read.speed else "-"


def notes(name: str, cells: dict[str, Records]) -> list[str]:
    """Return how far apart the two methods are, how much of the work each runs in INT8, and what is doubtful."""
    gain = paired_difference.between(cells["explicit"].accuracy, cells["implicit"].accuracy)
    lines = [f"- {name}: explicit - implicit = {gain} mAP"] if gain else []
    return lines + [f"- {name}, {method}: {'; '.join(said(read))}" for method, read in cells.items()]


def said(read: Records) -> list[str]:
    """Return what is to be said of one cell."""
    warnings = [words(warning) for warning in read.speed.warnings] if read.speed else []
    if not read.verify:
        return ["not verified" if read.speed or read.accuracy or read.engine else "not measured", *warnings]
    shares = ", ".join(f"{share:.1%} {precision}" for precision, share in read.verify.audit.shares.items())
    return [f"runs {shares}", *(f"invalid: {words(reason)}" for reason in read.verify.audit.invalid), *warnings]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("explicit", type=Path, help="results/tensorrt of the explicit run")
    parser.add_argument("implicit", type=Path, help="results/tensorrt of the implicit run")
    args = parser.parse_args()
    rows, below = [], []
    for folder in sorted(path for path in args.implicit.glob("*-int8-*") if path.is_dir()):
        model, _, shape = folder.name.rsplit("-", 2)
        cells = {
            "fp16": cell(args.explicit / f"{model}-fp16-{shape}"),
            "explicit": cell(args.explicit / folder.name),
            "implicit": cell(folder),
        }
        check_method(args.explicit / folder.name, cells["explicit"], implicit=False)
        check_method(folder, cells["implicit"], implicit=True)
        check_alike(cells)
        half, explicit, implicit = cells.values()
        figures = [map_of(half), map_of(explicit, half), time_of(explicit), map_of(implicit, half), time_of(implicit)]
        rows.append("|".join(("", model, shape, *figures, "")))
        below += notes(f"{model} {shape}", cells)
    if not rows:
        raise SystemExit(f"{args.implicit}: no cells named MODEL-int8-SHAPE in it; give the folder results/tensorrt")
    print("\n".join((HEADER, *rows, "", *below)))


if __name__ == "__main__":
    main()
