import pytest

from speedmap import records
from speedmap.gather import gather


def accuracy(folder, backend, precision, shape):
    cell = {"backend": backend, "model": "n", "precision": precision, "shape": shape}
    path = folder / backend / f"n-{precision}-{shape}" / "accuracy.json"
    path.parent.mkdir(parents=True)
    records.write(path, {"cell": cell})
    return str(path)


@pytest.mark.parametrize(("shape", "expected"), [("dynamic", {"torch", "fp16"}), ("static", {"fp16"})])
def test_a_map_is_held_against_others_of_its_input_shape(tmp_path, shape, expected):
    cells = [("torch", "fp32", "dynamic"), ("tensorrt", "fp16", shape), ("tensorrt", "int8", shape)]
    rows = gather([accuracy(tmp_path, *cell) for cell in cells], tmp_path)
    assert rows[2].references.keys() == expected
    assert all(record["cell"]["shape"] == shape for record in rows[2].references.values())
