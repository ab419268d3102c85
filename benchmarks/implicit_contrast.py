"""Show what explicit INT8 gains over TensorRT's own calibration: one table from two runs over the same images.

    python benchmarks/implicit_contrast.py results/tensorrt ../implicit/results/tensorrt > implicit.md

The first folder is of a run with `int8: {method: explicit}`, FP16 among its cells, the second of one with `implicit`.
Prints markdown: mAP in points with the change from FP16, and the median device time of an image; below, the difference
of the two mAPs with its standard error, paired by image, and whatever casts doubt on a figure.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow/scripts"))

from speedmap.accuracy import paired_difference
from speedmap.results import records

HEADER = """|Model|Shape|FP16<br><sup>mAP|INT8 explicit<br><sup>mAP|INT8 explicit<br><sup>ms|INT8 implicit<br><sup>mAP\
|INT8 implicit<br><sup>ms|
|---|---|---|---|---|---|---|"""
SAME = ("gpu", "compute_capability", "tensorrt")  # of the platform, if two runs are to be compared


def cell(folder: Path) -> dict[str, dict]:
    """Read the records of a cell that are there, by name; stops where speed and mAP are not of one engine."""
    names = ("speed", "accuracy", "engine", "verify")
    found = {name: records.read(path) for name in names if (path := folder / f"{name}.json").is_file()}
    hashes = {record["artefact"]["engine_sha256"] for name, record in found.items() if "artefact" in record}
    if len(hashes) > 1:
        raise SystemExit(f"{folder}: speed.json and accuracy.json are of different engines; measure it again")
    return found


def check_method(folder: Path, found: dict, implicit: bool) -> None:
    """Stop where a folder holds the other method than it is said to."""
    if "engine" in found and ("calibration" in found["engine"]["build"]) != implicit:
        raise SystemExit(f"{folder}: not built with int8: {{method: {'implicit' if implicit else 'explicit'}}}")


def check_alike(cells: dict[str, dict]) -> None:
    """Stop where cells that are to be compared saw other images or ran on another GPU or TensorRT."""
    images = {found["accuracy"]["dataset"]["sha256"] for found in cells.values() if "accuracy" in found}
    machines = {tuple(found["engine"]["platform"].get(key) for key in SAME)
                for found in cells.values() if "engine" in found}  # fmt: skip
    if len(images) > 1 or len(machines) > 1:
        raise SystemExit(f"the two runs cannot be compared: {len(images)} data sets, platforms {sorted(machines)}")


def map_of(found: dict, half: dict | None = None) -> str:
    """Write a mAP in points, with its change from that of FP16."""
    if "accuracy" not in found:
        return "-"
    points = 100 * found["accuracy"]["metrics"]["map"]
    if not half or "accuracy" not in half:
        return f"{points:.2f}"
    return f"{points:.2f} ({points - 100 * half['accuracy']['metrics']['map']:+.2f})"


def time_of(found: dict) -> str:
    """Write a median time in milliseconds."""
    return f"{found['speed']['summary']['median_ms']:.3f}" if "speed" in found else "-"


def notes(name: str, cells: dict[str, dict]) -> list[str]:
    """Say how far apart the two methods are, how much of the work each runs in INT8, and what is doubtful."""
    explicit, implicit = (cells[method].get("accuracy") for method in ("explicit", "implicit"))
    gain = paired_difference.between(explicit, implicit)
    lines = [f"- {name}: explicit - implicit = {gain} mAP"] if gain else []
    for method, found in cells.items():
        verify, speed = found.get("verify", {}), found.get("speed", {})
        shares = ", ".join(f"{share:.1%} {precision}" for precision, share in verify.get("shares", {}).items())
        said = [f"runs {shares}"] if shares else ["not verified"] if found else ["not measured"]
        said += [f"invalid: {reason}" for reason in verify.get("invalid", [])] + speed.get("warnings", [])
        lines.append(f"- {name}, {method}: {'; '.join(said)}")
    return lines


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
