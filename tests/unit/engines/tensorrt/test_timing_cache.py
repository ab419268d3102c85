from pathlib import Path
from types import SimpleNamespace

import pytest

from speedmap.engines.tensorrt import timing_cache
from speedmap.engines.tensorrt.builder_config import Options
from speedmap.engines.tensorrt.library import EngineError

HERE = {"gpu": "Fake GPU", "tensorrt": "8.6.1", "compute_capability": "9.0"}


@pytest.mark.parametrize(
    ("options", "file"),
    [
        ({"builder_level": 3}, "resources/timing-fake-gpu-8.6.1.cache"),
        ({}, "resources/timing-fake-gpu-8.6.1.cache"),
        ({"builder_level": 1, "timing_cache": True}, "resources/timing-fake-gpu-8.6.1.cache"),
        ({"builder_level": 3, "timing_cache": False}, None),
        ({"builder_level": 0}, None),
        ({"builder_level": 0, "timing_cache": None}, None),
    ],
)
def test_kernel_timings_are_kept_a_platform_but_none_at_level_0(options, file):
    assert timing_cache.kept(Options(**options), HERE) == (file and Path(file))


def test_a_level_that_times_nothing_and_a_cache_are_refused():
    with pytest.raises(EngineError, match=r"timing_cache: true contradicts builder_level: 0.*take out one"):
        timing_cache.kept(Options(builder_level=0, timing_cache=True), HERE)


def test_an_engine_that_is_built_is_not_lost_for_timings_that_cannot_be_kept(tmp_path, caplog):
    config = SimpleNamespace(get_timing_cache=lambda: SimpleNamespace(serialize=lambda: b"timings"))
    (tmp_path / "resources").write_text("a file where the folder should be")
    assert timing_cache.save(config, tmp_path / "resources/t.cache") == 0
    assert "the timings of this build cannot be kept" in caplog.text
