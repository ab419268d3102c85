"""A report of made-up figures."""

from pathlib import Path

from speedmap.reporting import report
from speedmap.results.cell import Cell
from speedmap.results.cell_result import CellResult

ROOT = Path(__file__).parents[2]
PEAKS = {"device": "GPU", "by": "torch", "operations": {"fp16": 1e12, "int8": None}, "bytes": 1e11}
FACTS = {
    "config": {"imgsz": 640},
    "machine": {"cpu": "CPU <1>", "system": "Linux", "versions": {"numpy": "2"}},
    "watched": {"gpu": "RTX"},
}
SENSITIVITY = {
    "yolov5s": {
        "table": [{"conv": f"c{i}", "share": 0.1, "error": i / 9, "float": i > 7} for i in range(20)],
        "float": [f"c{i}" for i in range(8, 20)],
        "target": 0.001,
        "reached": 0.0042,
        "int8_share": 0.9,
    }
}


def row(backend="tensorrt", precision="fp16", shape="static", invalid=(), score=0.4, error=0.01):
    summary = {"median_ms": 2.0, "median_low_ms": 1.9, "median_high_ms": 2.2}
    speed = {
        "summary": summary,
        "samples_ms": [1.9, 2.0, 2.0, 2.2],
        "shapes": ["640x640", "320x640"],
        "per_shape": {"640x640": {"count": 3, "median_ms": 2.0}, "320x640": {"count": 1, "median_ms": 1.0}},
        "audit": {"precision": precision, "invalid": list(invalid)},
        "artefact": {"engine_sha256": "e"},
    }
    accuracy = {"metrics": {"map": score, "map_se": error}, "artefact": {"engine_sha256": "e"}}
    engine = {"bytes": 10_000_000, "engine_sha256": "e"}
    return CellResult(Cell(backend, "yolov5s", precision, shape), speed, accuracy, engine)


ROWS = [row(), row(precision="int8", shape="dynamic", score=0.38), row("torch", "fp32", "dynamic")]


def rendered(rows=ROWS, bundle=""):
    table = "## Title\n\n|a<br><sup>b|c|\n|---|---|\n|x|1<sup>2</sup>|\n\n1. <script>alert(1)</script>\n"
    template = ROOT / "workflow/report/report.html.j2"
    return report.render(template, table, rows, {"yolov5s": 10**9}, PEAKS, SENSITIVITY, FACTS, bundle)
