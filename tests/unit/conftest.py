import pytest

from helpers.record_factory import accuracy, dataset, engine, provenance, speed, write
from speedmap.results.cell import Cell


@pytest.fixture
def results(tmp_path, monkeypatch):
    """Results of two cells in the current folder; returns the paths of their records and of the other files."""
    monkeypatch.chdir(tmp_path)

    def make(invalid=(), **facts):
        cells = [Cell("tensorrt", "yolov5s", precision, "static") for precision in ("fp16", "int8")]
        paths = []
        for cell in cells:
            paths.append(write(f"{cell.folder}/speed.json", speed(cell, invalid=invalid, **facts)))
            paths.append(write(f"{cell.folder}/accuracy.json", accuracy(cell, **facts)))
        others = [write(f"{cell.folder}/engine.json", engine()) for cell in cells]
        others += [write("results/dataset.json", dataset(3, ["4.jpg"]))]
        return paths, [*others, write("results/environment.json", provenance())]

    return make
