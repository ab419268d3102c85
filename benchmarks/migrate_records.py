"""Rewrite records of schema 1 below a folder as schema 2: typed, with kinds and figures instead of texts.

    python benchmarks/migrate_records.py results/published

Every record is read back as what it is now, so that one that cannot be understood stops the rewriting.
"""

import json
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow/scripts"))

from speedmap.results import records
from speedmap.results.measured import Accuracy, Speed
from speedmap.results.prepared import Choice, Dataset, Engine, Export, PublishedDataset, Verification, Weights
from speedmap.results.reported import Manifest, Provenance

PERCENT = r"(\d+(?:\.\d+)?)%"
TEXTS = {  # text -> kind, and what its groups are
    rf"unstable: the halves of the run differ by {PERCENT} in the median": ("halves_differ", "change"),
    rf"unstable: two levels, {PERCENT} of the median apart, {PERCENT} of the run on the lower": (
        "two_levels",
        "apart",
        "lower",
    ),
    rf"imprecise: the median is known to {PERCENT} only": ("wide_interval", "half"),
    rf"imprecise: the median lies at a gap of {PERCENT} between input shapes": ("shape_gap", "gap"),
    rf"other processes used {PERCENT} of the CPU": ("others_used_cpu", "share"),
    r"other GPUs of the host were at work meanwhile": ("other_gpus_busy",),
    r"no detections at all": ("no_detections",),
    r"scores disagree with the float32 graph \(cosine ([\d.]+)\)": ("scores_disagree", "cosine"),
    r"boxes disagree with the float32 graph \(overlap ([\d.]+)\)": ("boxes_disagree", "overlap"),
}
SHARES = {"change", "apart", "lower", "half", "gap", "share"}  # were percent
AUDIT = ("precision", "shares", "others", "agreement", "invalid", "remarks")


def main() -> None:
    count = 0
    for path in sorted(Path(sys.argv[1]).rglob("*.json")):
        old = json.loads(path.read_text())
        if not isinstance(old, dict) or old.get("schema") != 1:
            continue
        kind = kind_of(path, old)
        text = json.dumps({**migrated(old, kind), "schema": records.SCHEMA})
        path.write_text(text)
        records.write(path, records.read(path, kind))
        count += 1
    print(f"{count} records of schema 1 are now of schema {records.SCHEMA}")


def kind_of(path: Path, old: dict) -> type:
    """Tell what a record is by its file's name and its fields."""
    named = {"speed": Speed, "accuracy": Accuracy, "engine": Engine, "verify": Verification,
             "environment": Provenance, "published": Manifest}  # fmt: skip
    if path.name == "dataset.json":
        return PublishedDataset if isinstance(old["images"], int) else Dataset
    if "opset" in old:
        return Export
    if "parameters" in old:
        return Weights
    return Choice if "table" in old else named[path.name.partition(".")[0]]


def migrated(old: dict, kind: type) -> dict:
    """Change what the new schema says in another way."""
    if kind is Verification:
        return {**{key: old[key] for key in old if key not in AUDIT}, "audit": audit(old)}
    if kind is Accuracy:
        return {**old, "warnings": [finding(text) for text in old["warnings"]]}
    if kind is not Speed:
        return old
    del old["warnings"]  # the doubts and those of the watch
    watch = old["watch"]
    busiest = {"share": max(watch["neighbours"].values(), default=0)}
    watch["warnings"] = [finding(text, busiest) for text in watch["warnings"]]
    return {**old, "audit": audit(old["audit"]), "doubts": [finding(text) for text in old["doubts"]], "watch": watch}


def audit(old: dict) -> dict:
    """Take the audit out of a record, its texts as findings, the digits of a cosine as they were where it is known."""
    kept = {key: old[key] for key in AUDIT if key in old}
    reasons = [finding(text) for text in kept["invalid"]]
    for reason in reasons:
        if reason["kind"] == "scores_disagree":
            reason["cosine"] = kept["agreement"]["scores"]
        if reason["kind"] == "boxes_disagree":
            reason["overlap"] = kept["agreement"]["boxes"]
    return {**kept, "invalid": reasons}


def finding(text: str, more: dict | None = None) -> dict:
    """Read a kind and its figures off a text."""
    for pattern, (kind, *names) in TEXTS.items():
        if match := re.fullmatch(pattern, text):
            figures = {name: float(value) for name, value in zip(names, match.groups(), strict=True)}
            figures = {name: value / 100 if name in SHARES else value for name, value in figures.items()}
            return {"kind": kind, **figures, **(more or {} if kind == "other_gpus_busy" else {})}
    raise SystemExit(f"no kind is known for {text!r}")


if __name__ == "__main__":
    main()
