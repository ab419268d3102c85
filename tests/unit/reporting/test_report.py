import re
from copy import deepcopy
from dataclasses import replace

import pytest

from helpers.record_factory import peaks
from helpers.reports import rendered, row
from speedmap.reporting import charts, markdown, palette, roofline
from speedmap.reporting.pareto_points import points
from speedmap.results.cell_result import CellResult
from speedmap.results.findings import ScoresDisagree


def test_the_page_needs_nothing_from_elsewhere():
    text = rendered()
    assert not re.findall(r"<script [^>]*src|<link[^>]*stylesheet|@import|url\(", text)
    assert {
        link for link in re.findall(r'(?:src|href)="([^"]*)"', text) if not link.startswith(("#", "data:"))
    } == set()
    assert "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:" in text


def test_the_page_with_all_that_draws_it_is_small():
    bundle = charts.bundle()
    assert "vegaEmbed" in bundle
    assert "</script" not in bundle  # it would end there
    assert len(rendered(bundle=bundle).encode()) < 3 * 2**20


def test_what_records_say_is_escaped():
    hostile = row()
    text = rendered([replace(hostile, cell=replace(hostile.cell, model="</script><script>alert(2)</script>"))])
    assert "CPU &lt;1&gt;" in text
    assert "&lt;script&gt;alert(1)" in text
    assert r"\u003c/script\u003e\u003cscript\u003ealert(2)" in text  # within the data of a chart
    assert not re.search(r"<script>alert", text)


def test_the_page_shows_every_part():
    text = rendered()
    parts = ("answers", "pareto", "cells", "tables", "layers", "latencies", "shapes", "roofline", "int8", "pictures",
             "classes", "environment")  # fmt: skip
    places = [text.index(f'<section id="{part}"') for part in parts]
    assert places == sorted(places)  # the answers first
    assert "tensorrt/yolov5s-int8-static" in text
    assert text.index("<td>c19<") < text.index("<td>c8<")
    assert "<td>c7<" not in text
    chosen = "12 convolutions stay in float, 90.0% of the multiply-adds are in INT8; the range of act is by mse"
    assert f"{chosen}: the output changes by 0.0042, int8.target is 0.001." in text


def test_the_navigation_leads_to_parts_that_are_there_and_to_throughput_and_long_runs_where_they_are():
    base, long = row(), row()
    batch = replace(base, cell=replace(base.cell, shape="static", batch=8))
    long.speed.samples_ms, long.speed.watch = [1.0] * 600, deepcopy(long.speed.watch)
    long.speed.watch.samples = [{"at_s": second} for second in range(61)]
    for rows, shown in (([base], set()), ([base, batch], {"throughput"}), ([long], {"sustained"})):
        text = rendered(rows)
        links = set(re.findall(r'href="#(\w+)"', text.split("<nav")[1].split("</nav>")[0]))
        assert links <= set(re.findall(r'<section id="(\w+)"', text))
        assert links & {"throughput", "sustained"} == shown


def test_answers_stand_before_all_figures_and_each_part_shows_its_own():
    text = rendered()
    assert re.search(r"<strong\s*>1\.250×</strong>\s*FP16 \(1\.250 to 1\.250\)", text)  # noqa: RUF001
    assert "INT8 against FP16 on NVIDIA RTX 2060, TensorRT 10.3.0, static input 640 x 640, batch 1" in text
    assert '<span class="bad">ms +100.0%, regressed</span>' in text
    assert "Only float: cat 0.90. Only INT8: none. Both: 0." in text
    assert "<td>50.0</td><td>25.0</td><td>-25.0</td>" in text
    assert '"kind": "Conv", "ms": 1.5' in text


def test_a_report_without_what_others_have_says_so():
    text = rendered(
        [row()], changes=[], compared="No baseline is published for this device.", pictures=[], sensitivity={}
    )
    missing = ("No INT8 engine stands beside a float one.", "No mAP is known to compare with.", "No layers were timed.",
               "No image to show", "No pair of records has the AP of each class.", "No cell is INT8.")  # fmt: skip
    for said in missing:
        assert said in text
    assert "since the baseline" not in text


def test_series_have_the_same_colours_in_every_chart_of_the_page():
    ranges = re.findall(r'"scale": (\{"domain": \["T[^}]*\})', rendered())
    shown = {name: colour for text in ranges for name, colour in palette.SERIES.items() if f'"{name}"' in text}
    assert len(ranges) >= 4
    for text in ranges:
        names, colours = (re.findall(r'"([^"]+)"', part) for part in re.findall(r"\[[^]]*\]", text))
        assert [shown[name] for name in names] == colours


def test_a_page_without_figures_still_renders():
    assert "No cell has both figures." in rendered([])


def test_invalid_cells_are_no_points():
    rows = [row(invalid=[ScoresDisagree(0.3)]), row(precision="int8")]
    assert [point.series for point in points(rows)] == ["TensorRT INT8"]


def test_the_point_of_torch_joins_its_two_cells():
    speed, accuracy = row("torch", "fp16", "dynamic"), row("torch", "fp32", "dynamic")
    joined = points(
        [CellResult(speed.cell, speed.speed, None, None), CellResult(accuracy.cell, None, accuracy.accuracy, None)]
    )
    assert [(point.series, point.ms, point.map) for point in joined] == [("Torch FP16", 2.0, 40.0)]


def test_an_unknown_error_stays_unknown():
    unknown = row(error=None)
    assert points([unknown])[0].map_error is None
    assert '"mAP": "40.00 \\u00b1 unknown"' in rendered([unknown])


def test_markdown_becomes_html():
    text = markdown.html("## A\n\n| m<br><sup>s | n |\n|---|--:|\n| **1** | a\\|b |\n\n\\* `note`\nmore\n\n1. x\n")
    for part in ("<h2>A</h2>", "<th>m<br><sup>s</th>", "<td><b>1</b></td>", "<p>* <code>note</code>", "<li>x</li>"):
        assert part.replace("<b>", "<strong>").replace("</b>", "</strong>") in text
    assert re.search(r'<div class="scroll"[^>]*><table>.*</table></div>', text, re.DOTALL)
    assert '<td style="text-align:right">a|b</td>' in text


@pytest.mark.parametrize(
    "hostile", ["<img src=x onerror=alert(1)>", "![x](http://h/x.png)", "[x](javascript:alert(1))"]
)
def test_markdown_takes_no_html_images_or_links(hostile):
    text = markdown.html(f"|a|\n|---|\n|{hostile}|\n\n{hostile}\n\n1. {hostile}\n")
    assert not re.findall(r"<(?:img|a)\b", text)
    assert text.count("alert(1)") + text.count("http://h") == 3


def test_tables_in_markdown_escape_what_ends_a_column():
    assert markdown.table(["a|b", "c"], [["1", "x|y"]], ["left", "right"]).splitlines() == [
        r"| a\|b   |    c |",
        "|--------|------|",
        r"| 1      | x\|y |",
    ]


def test_the_roof_is_the_longer_of_two_times():
    static, dynamic = roofline.roofline([row(), row(precision="int8")], {"yolov5s": 10**9}, peaks(), 640).roofs
    assert static.giga_operations == pytest.approx(0.75)  # half of the inputs have half of the pixels
    assert (static.compute_ms, static.memory_ms) == pytest.approx((0.75, 0.1))
    assert (static.lower, static.share) == ("compute", pytest.approx(0.375))
    assert (dynamic.compute_ms, dynamic.share) == (None, pytest.approx(0.05))
