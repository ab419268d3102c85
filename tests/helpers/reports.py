"""A report of made-up figures."""

from pathlib import Path

from helpers.record_factory import choice, peaks, provenance, result
from speedmap.reporting import report

ROOT = Path(__file__).parents[2]


def row(backend="tensorrt", precision="fp16", shape="static", **facts):
    return result(backend, "yolov5s", precision, shape, low=1.9, high=2.2, **facts)


ROWS = [row(), row(precision="int8", shape="dynamic", score=0.38), row("torch", "fp32", "dynamic")]


def rendered(rows=ROWS, bundle=""):
    table = "## Title\n\n|a<br><sup>b|c|\n|---|---|\n|x|1<sup>2</sup>|\n\n1. <script>alert(1)</script>\n"
    template = ROOT / "workflow/report/report.html.j2"
    return report.render(
        template, table, rows, {"yolov5s": 10**9}, peaks(), {"yolov5s": choice()}, provenance(), bundle
    )
