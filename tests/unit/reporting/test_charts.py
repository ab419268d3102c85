"""Charts as the files show them: what is drawn, where and in which colour."""

import itertools
import math
import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from helpers.record_factory import measured
from helpers.svg import SVG, contrast, length, marks, place, texts
from speedmap.reporting import charts, detail_charts, history_chart, palette
from speedmap.reporting.pareto_points import Point
from speedmap.reporting.roofline import Roof
from speedmap.results.prepared import ConvCost
from speedmap.results.speedup import Layers

TORCH = Point("yolov5s", "Torch FP32", "dynamic", 8.0, 7.5, 9.0, 40.0, 1.5)
FP16 = Point("yolov5s", "TensorRT FP16", "static", 2.0, 1.9, 2.2, 39.0, 1.5)
INT8 = Point("yolov5s", "TensorRT INT8", "dynamic", 1.0, 0.9, 1.1, 42.0, None)
POINTS = [TORCH, FP16, INT8]
LINES, HEADS, ACROSS, UP, MARKS = (f"layer_{number}_marks" for number in range(5))


@pytest.fixture
def draw(tmp_path):
    """Draw a chart to a file; returns its root."""

    def run(chart):
        charts.save(chart, "A title", tmp_path / "chart.svg")
        assert "NaN" not in (tmp_path / "chart.svg").read_text()
        return ElementTree.parse(tmp_path / "chart.svg").getroot()

    return run


def test_the_pareto_plot_has_a_title_units_and_a_legend(draw):
    shown = texts(draw(charts.pareto(POINTS)))
    assert {"A title", "median latency of one image, ms (log)", "COCO mAP50-95, points", "yolov5s"} <= set(shown)
    assert {"TensorRT FP16", "TensorRT INT8", "Torch FP32", "static", "dynamic"} <= set(shown)


def test_every_mark_tells_its_figures(draw):
    told = [mark.get("aria-label") for mark in marks(draw(charts.pareto(POINTS)), MARKS)]
    assert len(told) == 3
    assert "8.00 ms (7.50 to 9.00)" in told[0]
    assert "40.00 ± 1.50" in told[0]
    assert "42.00 ± unknown" in told[2]


def test_a_speed_that_cannot_be_quoted_is_faint_and_says_so(draw):
    doubted = replace(FP16, quotable=False, doubts="other processes used 84% of the CPU")
    drawn = marks(draw(charts.pareto([TORCH, doubted])), MARKS)
    assert [mark.get("opacity") for mark in drawn] == ["1", str(palette.FAINT)]
    told = ["not to be quoted, other processes used 84% of the CPU" in mark.get("aria-label") for mark in drawn]
    assert told == [False, True]


def test_arrows_lead_from_torch_to_each_engine(draw):
    root = draw(charts.pareto(POINTS))
    start, *ends = map(place, marks(root, MARKS))
    heads = marks(root, HEADS)
    assert len(heads) == len(marks(root, LINES)) == 2
    for head, end in zip(heads, ends, strict=True):
        x, y = place(head)
        assert math.dist((x, y), end) == pytest.approx(11, abs=0.01)
        assert math.dist(start, (x, y)) + 11 == pytest.approx(math.dist(start, end), abs=0.01)
        turned = float(re.search(r"rotate\((.+)\)", head.get("transform"))[1])
        assert turned % 360 == pytest.approx(math.degrees(math.atan2(end[1] - start[1], end[0] - start[0])) % 360)


def test_without_torch_there_are_no_arrows(draw):
    root = draw(charts.pareto([FP16, INT8]))
    assert marks(root, HEADS) == marks(root, LINES) == []


def test_error_bars_go_both_ways_and_none_is_drawn_of_an_unknown_error(draw):
    root = draw(charts.pareto(POINTS))
    across, up = marks(root, ACROSS), marks(root, UP)
    assert (len(across), len(up)) == (3, 2)
    assert all(length(bar)[0] > 1 and length(bar)[1] == 0 for bar in across)
    assert all(length(bar)[0] == 0 and length(bar)[1] > 1 for bar in up)
    assert length(up[0])[1] == pytest.approx(length(up[1])[1])  # both of 3 points


def test_a_plane_of_no_extent_is_drawn(draw):
    point = replace(FP16, ms_low=2.0, ms_high=2.0, map_error=None)
    assert len(marks(draw(charts.pareto([point])), MARKS)) == 1


def test_without_points_the_file_says_so(draw):
    assert texts(draw(charts.pareto([]))) == ["No cell has both figures.", "A title"]


def test_the_same_figures_make_the_same_file(draw, tmp_path):
    drawn = []
    for _ in range(2):
        draw(charts.pareto(POINTS))
        drawn.append((tmp_path / "chart.svg").read_bytes())
    assert drawn[0] == drawn[1]


@pytest.mark.parametrize("colour", [*palette.SERIES.values(), *palette.SPARE, *palette.STAYS.values()])
def test_colours_stand_out_from_both_pages(colour):
    assert all(contrast(colour, page.back) >= 3 for page in (palette.LIGHT, palette.DARK))


def test_no_two_series_have_one_colour_and_a_series_keeps_its_own():
    names = {*palette.SERIES, "null FP16", "null INT8"}
    assert len(set(palette.colours(names).values())) == len(names)
    assert palette.colours({"TensorRT INT8", "null FP16"})["TensorRT INT8"] == palette.colours(names)["TensorRT INT8"]


def test_latencies_of_a_model_stand_on_one_scale_and_the_slowest_in_the_last_bar():
    fast, slow = [1.0] * 500 + [1.5] * 499 + [50.0], [4.0] * 300 + [40.0] * 100
    spec = detail_charts.latencies([("it's fast", "Torch FP16", fast), ("slow", "Torch FP32", slow)]).to_dict()
    bars, medians = (spec["datasets"][layer["data"]["name"]] for layer in spec["layer"])
    by_row = {name: [bar["samples"] for bar in bars if bar["name"] == name] for name in ("it's fast", "slow")}
    assert by_row == {"it's fast": [500, 500], "slow": [300, 100]}
    low, high = spec["layer"][0]["encoding"]["x"]["scale"]["domain"]
    assert (low, high) == pytest.approx((0.98, 1.02 * 3 * 4.0))  # thrice the slowest median
    assert [line["low"] for line in medians] == [1.25, 4.0]
    assert spec["layer"][1]["encoding"]["x"]["scale"] == spec["layer"][0]["encoding"]["x"]["scale"]


def test_layers_of_both_engines_stand_side_by_side_the_longest_first(draw):
    layers = Layers(first={"Conv": 1.0, "Pool": 0.1}, second={"Conv": 0.5, "Reformat": 2.0})
    chart = detail_charts.layers(layers, "fp16")
    told = [bar.get("aria-label") for bar in marks(draw(chart), "marks")]
    assert len(told) == 6
    assert any("Reformat" in words and "INT8" in words and "2" in words for words in told)
    assert chart.to_dict()["encoding"]["y"]["sort"] == ["Reformat", "Conv", "Pool"]


def test_no_cell_is_drawn_above_the_roof_that_bounds_it(draw):
    roof = Roof("a", "fp16", 1.0, 0.01, 1.0, 0.1, 2.0)  # 10⁹ in 2 ms, at 100 a byte
    chart = detail_charts.roofline([roof], {"fp16": 1e12}, 1e11)
    spec = chart.to_dict()
    line, cell = (spec["datasets"][layer["data"]["name"]] for layer in spec["layer"])
    assert cell[0] == {"series": "FP16", "cell": "a", "intensity": 100.0, "speed": 0.5, "lower roof": "compute",
                       "of the roof": "50%"}  # fmt: skip
    assert {point["speed"] for point in line} == {1.0}  # memory would allow ten times as much
    assert "10¹² multiply-adds a second (log)" in texts(draw(chart))


def test_without_a_peak_that_can_be_believed_the_memory_is_the_roof():
    roof = Roof("a", "fp16", 1.0, 0.01, None, 0.1, 2.0)
    spec = detail_charts.roofline([roof], {}, 1e9).to_dict()
    line = spec["datasets"][spec["layer"][0]["data"]["name"]]
    assert {point["series"] for point in line} == {"memory"}
    assert (line[0]["speed"], line[-1]["speed"]) == pytest.approx((0.05, 0.2))  # 50 and 200 a byte, 10⁹ bytes a second


def test_columns_stand_in_their_order_and_on_zero(draw):
    lines = [
        ConvCost(conv="second", share=0.5, error=0.02, in_float=False),
        ConvCost(conv="first", share=0.5, error=0.04, in_float=True),
    ]
    low, high = marks(draw(charts.costs(lines)), "marks")
    boxes = [list(map(float, re.findall(r"-?[\d.]+", bar.get("d")))) for bar in (low, high)]
    assert boxes[0][0] < boxes[1][0]  # M x,y h width v height
    assert boxes[1][3] == pytest.approx(2 * boxes[0][3], rel=0.01)
    assert (low.get("fill"), high.get("fill")) == (palette.STAYS["INT8"], palette.STAYS["stays in float"])
    assert "first" in high.get("aria-label")


AXES = ("tensorrt", "openvino", "null"), ("yolov5s", "my-own"), ("fp16", "int8"), ("static", "dynamic")
CELLS = [f"{backend}/{model}-{precision}-{shape}" for backend, model, precision, shape in itertools.product(*AXES)]


def test_each_line_of_the_history_has_a_colour_of_its_own(draw):
    lines = [measured(cell, figure, day) for cell in CELLS for figure in ("speed", "mAP") for day in (1, 2)]
    root = draw(history_chart.history(lines))
    drawn = [group for group in root.iter(f"{SVG}g") if "mark-line" in group.get("class", "")]
    for number in range(0, len(drawn)):
        assert len(drawn[number]) == len({path.get("stroke") for path in drawn[number]})
    assert sum(map(len, drawn)) == 2 * len(CELLS)
    shown = texts(root)
    for title in (
        "A title",
        "yolov5s, static input: speed",
        "my-own, dynamic input: mAP",
        "TensorRT INT8",
        "null FP16",
    ):
        assert title in shown
    assert {"median, ms (log)", "mAP50-95, points", "measured (UTC)"} <= set(shown)


def test_the_history_leaves_out_what_is_invalid_and_intervals_that_are_unknown(draw):
    unsure = measured("tensorrt/a-fp16-static", "mAP", 1, low=None, high=None)
    root = draw(history_chart.history([unsure, measured("tensorrt/broken-fp16-static", "speed", 1, valid=False)]))
    assert not [text for text in texts(root) if "broken" in text]
    rules = [
        group for group in root.iter(f"{SVG}g") if {"mark-rule", "role-mark"} <= set(group.get("class", "").split())
    ]
    assert sum(map(len, rules)) == 0


def test_a_speed_of_the_history_that_cannot_be_quoted_is_faint(draw):
    lines = [measured(CELLS[0], "speed", day, quotable=quotable) for day, quotable in ((1, True), (2, False))]
    drawn = draw(history_chart.history([*lines, measured(CELLS[0], "speed", 3)])).iter(f"{SVG}path")
    points = [path.get("opacity") for path in drawn if path.get("aria-roledescription") == "point"]
    assert sorted(points) == [str(palette.FAINT), "1", "1"]


def test_the_history_shows_mean_average_precision_in_points():
    (entry,) = [history_chart._entry(measured("torch/my-own-fp32-dynamic", "mAP", 1))]
    assert (entry.value, entry.low, entry.model, entry.series) == (50, 40, "my-own", "Torch FP32")
