import re
from xml.etree import ElementTree

import pytest

from helpers.reports import PEAKS, ROWS, rendered, row
from speedmap.reporting import markdown_html, plots, roofline, svg_chart
from speedmap.reporting.pareto_points import points
from speedmap.reporting.svg_chart import Mark, Scale
from speedmap.reporting.svg_histogram import histogram
from speedmap.results.cell_result import CellResult


def test_the_page_needs_nothing_from_elsewhere():
    text = rendered()
    assert not re.findall(r"<script|<link[^>]*stylesheet|@import|url\(", text)
    assert {
        link for link in re.findall(r'(?:src|href)="([^"]*)"', text) if not link.startswith(("#", "data:"))
    } == set()


def test_what_records_say_is_escaped():
    text = rendered()
    assert "CPU &lt;1&gt;" in text
    assert "&lt;script&gt;" in text


def test_the_page_shows_every_part():
    text = rendered()
    for part in ("tables", "pareto", "latencies", "shapes", "roofline", "int8", "environment"):
        assert f'<section id="{part}"' in text
    assert "tensorrt/yolov5s-int8-dynamic" in text
    assert text.index("<td>c19<") < text.index("<td>c8<")
    assert "<td>c7<" not in text
    chosen = "12 convolutions stay in float, 90.0% of the multiply-adds are in INT8: the output changes by 0.0042"
    assert f"{chosen}, int8.target is 0.001." in text


def test_a_page_without_figures_still_renders():
    assert "No cell has both figures." in rendered([])


def test_invalid_cells_are_no_points():
    assert [point.series for point in points([row(invalid=["rubbish"]), row(precision="int8")])] == ["TensorRT INT8"]


def test_the_point_of_torch_joins_its_two_cells():
    speed, accuracy = row("torch", "fp16", "dynamic"), row("torch", "fp32", "dynamic")
    joined = points(
        [CellResult(speed.cell, speed.speed, None, None), CellResult(accuracy.cell, None, accuracy.accuracy, None)]
    )
    assert [(point.series, point.ms, point.map) for point in joined] == [("Torch FP16", 2.0, 40.0)]


def test_a_scale_maps_its_ends_and_ticks_lie_within():
    for scale in (Scale(0, 10, 100, 0), Scale(1, 100, 0, 50, log=True), Scale(1, 3, 0, 50, log=True)):
        assert (scale(scale.low), scale(scale.high)) == (scale.start, scale.end)
        assert len(scale.ticks()) >= 2
        assert all(scale.low <= tick <= scale.high for tick in scale.ticks())


def test_charts_are_well_formed_and_hold_every_mark():
    marks = [Mark(x, x * x, f"<{x}>", "a & b", (x - 0.5, x + 0.5), (0, 9)) for x in (1.0, 2.0, 3.0)]
    drawn = svg_chart.scatter(marks, "x & y", "y", ["other", "a & b"], True, [(marks[0], marks[2])])
    root = ElementTree.fromstring(f"<div>{drawn}</div>")
    assert len(root.findall(".//g[@class='mark c1']/circle")) == 3
    assert [hit.get("aria-label") for hit in root.findall(".//g[@class='hit']")] == ["<1.0>", "<2.0>", "<3.0>"]
    assert len(root.findall(".//path[@class='arrow']")) == 1
    assert [name.text for name in root.iter("i")] == ["●"]
    bars = ElementTree.fromstring(histogram([1.0, 2.0, 2.0, 50.0], "<t>", 0.9, 3.0)).iter("rect")
    assert len(list(bars)) == 3


def test_columns_stand_in_their_order_and_on_zero():
    drawn = svg_chart.columns([(2.0, "INT8", "first"), (4.0, "float", "second")], "convolution", "change")
    root = ElementTree.fromstring(f"<div>{drawn}</div>")
    low, high = root.findall(".//rect[@class]")
    assert float(high.get("height")) == pytest.approx(2 * float(low.get("height")), abs=0.2)
    assert float(low.get("x")) < float(high.get("x"))
    assert (low.get("class"), high.get("class")) == ("bar c0", "bar c1")


@pytest.mark.parametrize(("place", "side"), [((0, 9), "right below"), ((9, 0), "left above")])
def test_what_a_mark_tells_stays_within_the_chart(place, side):
    marks = [Mark(*place, "here", "s"), Mark(4.5, 4.5, "middle", "s")]
    drawn = ElementTree.fromstring(f"<div>{svg_chart.scatter(marks, 'x', 'y', ['s'])}</div>")
    tip = drawn.find(".//foreignObject")
    assert tip.find("div").get("class") == side
    assert 0 <= float(tip.get("x")) <= svg_chart.WIDTH - svg_chart.TIP[0]
    assert 0 <= float(tip.get("y")) <= svg_chart.HEIGHT - svg_chart.TIP[1]


def test_equal_values_still_have_a_scale():
    assert "<circle" in svg_chart.scatter([Mark(1.0, 1.0, "t", "s")], "x", "y", ["s"], True)


def test_markdown_becomes_html():
    text = markdown_html.html("## A\n\n|m<br><sup>s|\n|---|\n|**1**|\n\n\\* `note`\nmore")
    assert text == (
        '<h2>A</h2>\n<div class="scroll"><table><thead><tr><th>m<br><sup>s</th></tr></thead>'
        "<tbody><tr><td><b>1</b></td></tr></tbody></table></div>\n<p>* <code>note</code> more</p>"
    )


def test_the_roof_is_the_longer_of_two_times():
    static, dynamic = roofline.roofs([row(), row(precision="int8")], {"yolov5s": 10**9}, PEAKS, 640)
    assert static.giga_operations == pytest.approx(0.75)  # half of the inputs have half of the pixels
    assert (static.compute_ms, static.memory_ms) == pytest.approx((0.75, 0.1))
    assert (static.bound, static.share) == ("compute", pytest.approx(0.375))
    assert (dynamic.compute_ms, dynamic.share) == (None, pytest.approx(0.05))


def test_an_unknown_error_is_no_bar(tmp_path):
    unknown = row(error=None)
    assert points([unknown])[0].map_error is None
    assert "mAP 40.00 ± unknown" in rendered([unknown])
    plots.pareto(points([unknown]), tmp_path / "pareto.svg")
    line = {"measured": "2026-01-01T00:00:00+00:00", "cell": "a", "valid": True, "value": 1}
    speed, unsure = {"figure": "speed", "low": 0.9, "high": 1.1}, {"figure": "mAP", "low": None, "high": None}
    plots.history([line | speed, line | unsure], tmp_path / "history.svg")
    assert (tmp_path / "history.svg").stat().st_size


def test_the_plots_name_their_points(tmp_path):
    plots.pareto(points(ROWS), tmp_path / "pareto.svg")
    text = "".join(ElementTree.parse(tmp_path / "pareto.svg").getroot().itertext())
    assert all(name in text for name in ("TensorRT FP16", "TensorRT INT8", "Torch FP32", "yolov5s"))
    line = {"measured": "2026-01-01T00:00:00+00:00", "cell": "a", "valid": True, "value": 1, "low": 0.9, "high": 1.1}
    lines = [{**line, "figure": figure} for figure in ("speed", "mAP")]
    plots.history([*lines, {**lines[0], "cell": "broken", "valid": False}], tmp_path / "history.svg")
    text = "".join(ElementTree.parse(tmp_path / "history.svg").getroot().itertext())
    assert "a" in text
    assert "broken" not in text
