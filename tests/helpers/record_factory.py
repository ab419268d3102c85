"""Records as the jobs write them, of made-up figures."""

from pathlib import Path

from speedmap.results import records

PLATFORM = {"gpu": "NVIDIA RTX 2060", "driver": "550", "tensorrt": "10.3.0"}
SHA = "0" * 64
WATCHED = ("error", "setting", "count", "ranges", "reasons", "foreign_pids", "warnings", "samples")


def environment(dirty=False):
    facts = {"cpu": "CPU", "system": "Linux", "versions": {"numpy": "2"}, "platform": PLATFORM, "code": "0" * 12}
    return {**facts, "commit": "c" * 40, "dirty": dirty}


def shared(precision, **more):
    return {
        "cell": {"backend": "tensorrt", "model": "yolov5s", "precision": precision, "shape": "static"},
        "artefact": {"engine_sha256": SHA},
        "environment": environment(**more),
        "measured": "2026-01-02T03:04:05+00:00",
        "imgsz": 640,
        "dataset": {"name": "tiny", "images": 4, "sha256": SHA, "calibration_sha256": SHA},
        "session": {},
        "warnings": [],
    }


def speed(precision, invalid=(), **more):
    summary = (
        "count",
        "median_ms",
        "median_low_ms",
        "median_high_ms",
        "p90_ms",
        "p99_ms",
        "min_ms",
        "mean_ms",
        "drift",
    )
    return {
        **shared(precision, **more),
        "protocol": {"conf": 0.25, "iou": 0.45, "warmup_s": 0, "min_s": 0, "min_samples": 1},
        "samples_ms": [1.0, 2.0, 3.0],
        "shapes": ["640x640"] * 3,
        "summary": {**dict.fromkeys(summary, 2.0)},
        "doubts": [],
        "per_shape": {"640x640": {"count": 3, "median_ms": 2.0}},
        "phases": dict.fromkeys(("letterbox", "load", "run", "fetch", "nms", "end_to_end"), 1.0),
        "audit": {"precision": precision, "shares": {precision: 1.0}, "invalid": list(invalid)},
        "watch": {"alive": True, **dict.fromkeys(WATCHED), "setting": {"gpu": "NVIDIA RTX 2060"}},
    }


def accuracy(precision, **more):
    metrics = dict.fromkeys(("map", "map50", "map75", "map_small", "map_medium", "map_large"), 0.4)
    return {
        **shared(precision, **more),
        "protocol": {"conf": 0.001, "iou": 0.65, "max_det": 300},
        "metrics": {**metrics, "map_se": 0.01},
        "bootstrap": {"map": [0.001, -0.001]},
    }


def write(path, record):
    records.write(Path(path), record)
    return path
