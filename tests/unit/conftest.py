import pytest

from helpers.record_factory import SHA, accuracy, speed, write


@pytest.fixture
def results(tmp_path, monkeypatch):
    """Results of two cells in the current folder; returns the paths of their records and of the other files."""
    monkeypatch.chdir(tmp_path)
    return lambda **more: (
        [
            write(f"results/tensorrt/yolov5s-{precision}-static/{kind.__name__}.json", kind(precision, **facts))
            for precision in ("fp16", "int8")
            for kind, facts in ((speed, more), (accuracy, {key: more[key] for key in more if key == "dirty"}))
        ],
        [
            *(
                write(f"results/tensorrt/yolov5s-{name}-static/engine.json", {"engine_sha256": SHA})
                for name in ("fp16", "int8")
            ),
            write("results/dataset.json", {"name": "tiny", "images": [1, 2, 3], "calibration": [4]}),
            write("results/environment.json", {}),
        ],
    )
