"""A report of made-up figures."""

from dataclasses import replace
from pathlib import Path

from msgspec import structs

from helpers.record_factory import choice, peaks, provenance, result, speedup
from speedmap.reporting import report
from speedmap.reporting.detection_pictures import Box, Picture
from speedmap.results.accuracy import OfClass
from speedmap.results.reported import Change
from speedmap.results.speedup import Layers

ROOT = Path(__file__).parents[2]


def row(backend="tensorrt", precision="fp16", shape="static", **facts):
    return result(backend, "yolov5s", precision, shape, low=1.9, high=2.2, **facts)


FAST, SMALL = row(), row(precision="int8", score=0.38)
ROWS = [
    replace(FAST, accuracy=structs.replace(FAST.accuracy, classes=[OfClass(name="cat", ap=0.5, objects=7)])),
    replace(
        SMALL,
        speedup=structs.replace(speedup(SMALL.cell, 1.25), layers=Layers(first={"Conv": 2.0}, second={"Conv": 1.5})),
        accuracy=structs.replace(SMALL.accuracy, classes=[OfClass(name="cat", ap=0.25, objects=7)]),
    ),
    row(shape="dynamic"),
    row("torch", "fp32", "dynamic"),
]
CHANGE = Change("tensorrt/yolov5s-fp16-static", "speed", "regressed", before=1.0, after=2.0, change=1.0, error=0.01)
PICTURE = Picture("yolov5s", "a.jpg", "/9j/", 40, 30, [Box("fp16", "cat 0.90", 1, 2, 3, 4)])


def material(rows=ROWS, **changes):
    table = "## Title\n\n|a<br><sup>b|c|\n|---|---|\n|x|1<sup>2</sup>|\n\n1. <script>alert(1)</script>\n\n"
    facts = {"rows": rows, "table": f"{table}## Details\n\nmore\n", "work": {"yolov5s": 10**9}, "peaks": peaks(),
             "sensitivity": {"yolov5s": choice()}, "facts": provenance(), "changes": [CHANGE],
             "compared": "The baseline is x.", "pictures": [PICTURE]}  # fmt: skip
    return report.Material(**{**facts, **changes})


def rendered(rows=ROWS, bundle="", **changes):
    return report.render(ROOT / "workflow/report/report.html.j2", material(rows, **changes), bundle)
