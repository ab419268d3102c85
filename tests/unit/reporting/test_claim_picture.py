"""The picture of a claim: what stands in it, that its words can be read on either page, and what is hollow."""

import base64
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from helpers.record_factory import experiment, result, speedup
from helpers.svg import contrast, marks, place, texts
from speedmap.reporting import claim_picture, palette
from speedmap.reporting.claims import Claim, Told, claims

SURE = Told("s", "1.250 times as fast (1.200 to 1.300)", 1.25, 1.2, 1.3, "")
UNSURE = Told("m", "0.900 times as fast (0.800 to 0.950)", 0.9, 0.8, 0.95, "the turns were disturbed")
CLAIM = Claim(
    "INT8 against FP16", "times as fast as FP16", 1.0, "NVIDIA RTX 2060, batch 1", [SURE, UNSURE], "In brackets: x."
)


def drawn(claim, page="light"):
    address = claim_picture.addresses(claim)[page]
    return ElementTree.fromstring(base64.b64decode(address.removeprefix("data:image/svg+xml;base64,")))


def said(root):
    """Read all words, those of lines below each other, too."""
    return " ".join(" ".join(element.itertext()) for element in root.iter() if element.tag.endswith("text"))


def test_the_picture_says_alone_what_the_line_says():
    small = result("tensorrt", "s", "int8", median=0.8, score=0.29)
    rows = [result("tensorrt", "s", score=0.3), replace(small, speedup=speedup(small.cell, 1.25))]
    (claim,) = claims(rows, experiment(shapes=["static"]))
    words = said(drawn(claim))
    for part in str(claim).replace(" on ", " ").split(": ")[0].split(", "):
        assert part in words
    text = "1.250 times as fast (1.250 to 1.250), -1.00 ± 0.00 mAP"
    for part in (text, claim.known, f"Doubt: {claim.shared_doubt}."):
        assert part in words


def test_each_doubt_stands_once_with_the_names_it_is_of_and_their_points_are_hollow():
    root = drawn(replace(CLAIM, told=[SURE, UNSURE, replace(UNSURE, name="l")]))
    assert "Doubt of m, l (hollow): the turns were disturbed." in said(root)
    assert [mark.get("fill-opacity") for mark in marks(root, "layer_2_marks")] == ["1", "0", "0"]


def test_a_point_lies_in_its_interval_and_a_gain_right_of_no_gain():
    root = drawn(CLAIM)
    (even,), intervals, points = (marks(root, f"layer_{number}_marks") for number in range(3))
    for interval, point in zip(intervals, points, strict=True):
        ends = sorted((place(interval)[0], place(interval)[0] + float(interval.get("x2"))))
        assert ends[0] < place(point)[0] < ends[1]
    assert place(points[1])[0] < place(even)[0] < place(points[0])[0]


def test_medians_have_no_line_of_no_gain():
    (claim,) = claims([result("tensorrt", "s", median=1.0)], experiment(shapes=["static"]))
    assert claim.even is None
    root = drawn(claim)
    assert {"Median latency", "s FP16", "1 ms (1 to 1), mAP 40.0 ± 1.0", "ms"} <= set(texts(root))
    assert len(marks(root, "layer_1_marks")) == 1  # the point, behind its interval alone


@pytest.mark.parametrize(("page", "colours"), [("light", palette.LIGHT), ("dark", palette.DARK)])
def test_words_stand_out_from_the_page_that_the_picture_is_on(page, colours):
    root = drawn(CLAIM, page)
    behind = next(one.get("fill") for one in root.iter() if one.tag.endswith("rect"))
    assert behind == colours.back
    inks = {one.get("fill") for one in root.iter() if one.tag.endswith("text")}
    assert inks == {colours.text, colours.faint}
    assert all(contrast(ink, behind) >= 4.5 for ink in inks)
