import pytest

from speedmap.engines.interface import Inspection
from speedmap.reporting.footnotes import words
from speedmap.results.audit import Agreement
from speedmap.results.cell import Cell
from speedmap.results.findings import BoxesDisagree, ScoresDisagree
from speedmap.verification import validity


def agreed(scores, boxes):
    return Agreement(scores=scores, boxes=boxes, images=8)


GOOD = agreed(0.999, 0.99)


@pytest.mark.parametrize(
    ("backend", "asked", "shares", "agreement", "reason"),
    [
        ("tensorrt", "fp16", {"fp16": 0.97, "fp32": 0.03}, GOOD, None),
        ("tensorrt", "fp16", {"fp32": 1.0}, GOOD, "asked for fp16 but runs 100% fp32"),
        ("openvino", "fp16", {"bf16": 1.0}, GOOD, None),
        ("openvino", "fp16", {"fp32": 1.0}, agreed(1.0, 1.0), None),
        ("openvino", "int8", {"bf16": 1.0}, GOOD, "asked for int8 but runs 100% bf16"),
        ("tensorrt", "int8", {"int8": 0.6, "fp16": 0.4}, GOOD, "asked for int8 but runs 60% int8, 40% fp16"),
        ("openvino", "int8", {"int8": 1.0}, agreed(0.3, 0.9), "scores disagree"),
        ("openvino", "int8", {"int8": 1.0}, agreed(0.99, 0.2), "boxes disagree"),
        ("openvino", "int8", {"int8": 1.0}, agreed(float("nan"), 1.0), "scores disagree"),
        ("tensorrt", "int8", {"unknown": 1.0}, GOOD, "asked for int8 but runs 100% unknown"),
        ("tensorrt", "int8", {"int8": 1.0}, None, None),
        ("tensorrt", "int8", {"int8": 1.0}, agreed(0.91, 0.81), None),
        ("tensorrt", "int8", {"int8": 1.0}, agreed(0.89, 0.81), "scores disagree"),
        ("tensorrt", "int8", {"int8": 1.0}, agreed(0.91, 0.79), "boxes disagree"),
        ("tensorrt", "fp16", {"fp16": 1.0}, agreed(0.981, 0.951), None),
        ("tensorrt", "fp16", {"fp16": 1.0}, agreed(0.979, 0.951), "scores disagree"),
        ("tensorrt", "fp16", {"fp16": 1.0}, agreed(0.981, 0.949), "boxes disagree"),
        ("openvino", "fp32", {"fp32": 1.0}, agreed(0.9991, 0.991), None),
        ("openvino", "fp32", {"fp32": 1.0}, agreed(0.998, 0.991), "scores disagree"),
        ("openvino", "fp32", {"fp32": 1.0}, agreed(0.9991, 0.989), "boxes disagree"),
        ("tensorrt", "int8", {"int8": 0.76, "fp16": 0.24}, GOOD, None),
        ("tensorrt", "int8", {"int8": 0.74, "fp16": 0.26}, GOOD, "asked for int8 but runs 74% int8, 26% fp16"),
    ],
)
def test_what_makes_a_cell_invalid(backend, asked, shares, agreement, reason):
    reasons = [words(each) for each in validity.invalid(backend, asked, shares, agreement, {})]
    assert reasons == [] if reason is None else any(reason in text for text in reasons)


def test_random_weights_are_not_held_against_an_engine_and_what_the_audit_found_is_kept():
    cell = Cell("tensorrt", "a", "fp16", "static")
    inspection = Inspection({"fp16": 0.8, "fp32": 0.2}, {"one": "fp16", "two": "fp32"}, {"reformats": 3})
    judged = {random: validity.verdict(cell, inspection, agreed(0.1, 0.1), random, {}, {}) for random in (True, False)}
    assert judged[True].invalid == []
    assert set(map(type, judged[False].invalid)) == {ScoresDisagree, BoxesDisagree}
    assert (judged[True].precision, judged[True].others, judged[True].lint) == ("fp16", ["two"], {"reformats": 3})
    assert judged[True].agreement == agreed(0.1, 0.1)


def test_a_mixed_engine_is_said():
    assert validity.mixed({"fp16": 0.9, "fp32": 0.1}) == []
    assert validity.mixed({"fp16": 0.89, "fp32": 0.11})
    assert validity.mixed({"fp16": 0.95, "fp32": 0.05}) == []
    (remark,) = validity.mixed({"fp16": 0.8, "fp32": 0.2})
    assert words(remark) == "runs 80% fp16, 20% fp32 of its multiply-adds"


@pytest.mark.parametrize(
    ("platform", "said"), [({"int8_sums": "16 bits, saturating"}, True), ({"int8_sums": "32 bits"}, False), ({}, False)]
)
def test_an_int8_cell_that_disagrees_names_the_missing_instructions_and_a_remedy(platform, said):
    disagree = agreed(0.8, 0.9)
    text = " ".join(map(words, validity.invalid("openvino", "int8", {"int8": 1.0}, disagree, platform)))
    assert ("without VNNI, adds products of INT8 in 16 bits" in text) == said
    assert ("int8.least_share" in text) == said
    assert "VNNI" not in " ".join(map(words, validity.invalid("openvino", "fp16", {"fp32": 1.0}, disagree, platform)))
