import pytest
from msgspec import structs

from helpers.record_factory import peaks, result
from speedmap.reporting import roofline
from speedmap.results.timing_findings import OthersUsedCpu

WORK = {"yolov5s": 10**10}


def cell(precision, ms):
    row = result("openvino", precision=precision, median=ms)
    row.speed.shapes = ["640x640"]
    return row


def measured(**operations):
    """Peaks in 10^12 multiply-adds a second, and 100 GB a second."""
    return structs.replace(peaks(), operations={name: rate and 1e12 * rate for name, rate in operations.items()})


def looked_at(rows, found):
    computed = roofline.roofline(rows, WORK, found, 640)
    assert all(roof.share is None or roof.share <= 1 for roof in computed.roofs)
    return [(roof.precision, roof.lower, roof.share) for roof in computed.roofs], computed.doubts


def test_peaks_in_their_order_are_believed():
    shares, doubts = looked_at([cell("fp32", 20.0), cell("int8", 10.0)], measured(fp32=1, bf16=None, int8=2))
    assert shares == [("fp32", "compute", 0.5), ("int8", "compute", 0.5)]
    assert doubts == []


def test_a_narrower_type_that_is_slower_than_a_wider_one_has_no_peak():
    shares, doubts = looked_at([cell("fp32", 20.0), cell("int8", 10.0)], measured(fp32=1, bf16=0.5, int8=0.03))
    assert shares[0] == ("fp32", "compute", 0.5)
    assert shares[1][:2] == ("int8", "memory (no peak known)")
    assert doubts == [
        "bf16: 0.5 in a product, less than fp32's 1; left out",
        "int8: 0.03 in a product, less than fp32's 1; left out",
    ]


def test_no_cell_is_above_its_roof():
    rows = [cell("fp32", 2.0), cell("fp32", 20.0)]
    shares, doubts = looked_at(rows, measured(fp32=1, int8=2))
    assert [lower for _, lower, _ in shares] == ["memory (no peak known)"] * 2
    assert doubts == ["fp32: 1 in a product, which openvino/yolov5s-fp32-static is above; left out"]
    rows[0].engine.bytes = 10**9  # in 2 ms
    shares, doubts = looked_at(rows, measured(fp32=1, int8=2))
    assert shares[1] == ("fp32", "unknown", None)
    assert doubts[1] == "100 GB a second in a copy, which openvino/yolov5s-fp32-static is above; left out"


@pytest.mark.parametrize("share", [0.3, 0.84])
def test_peaks_that_were_taken_beside_others_are_marked(share):
    found = structs.replace(measured(fp32=1), warnings=[OthersUsedCpu(share)])
    assert looked_at([cell("fp32", 20.0)], found)[1] == [f"other processes used {share:.0%} of the CPU"]


def test_without_peaks_nothing_is_said():
    assert looked_at([cell("fp32", 20.0)], structs.replace(peaks(), bytes=None, operations={})) == ([], [])
