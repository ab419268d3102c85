import json
from pathlib import Path

import msgspec
import pytest

from speedmap.results.cell import Cell


@pytest.mark.parametrize(
    ("given", "batch", "name"), [("static", 1, "a-int8-static"), ("static-b8", 8, "a-int8-static-b8"),
                                 ("dynamic", 1, "a-int8-dynamic")]
)  # fmt: skip
def test_a_batch_is_a_part_of_the_name_where_it_is_not_one(given, batch, name):
    cell = Cell.at("openvino", "a", "int8", given)
    assert (cell.batch, cell.name, cell.input, cell.folder) == (batch, name, given, f"results/openvino/{name}")


def test_a_record_from_before_batches_is_of_one_image():
    published = sorted(Path("results/published").glob("*/*/*-static/speed.json"))
    assert published
    cells = [msgspec.convert(json.loads(path.read_text("utf-8"))["cell"], Cell) for path in published]
    assert [cell.name for cell in cells] == [path.parent.name for path in published]
    assert {cell.batch for cell in cells} == {1}
