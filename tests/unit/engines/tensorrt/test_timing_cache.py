from multiprocessing.pool import ThreadPool
from pathlib import Path

import pytest

from speedmap.engines.tensorrt import timing_cache
from speedmap.engines.tensorrt.builder_config import Options
from speedmap.engines.tensorrt.library import EngineError

HERE = {"gpu": "Fake GPU", "tensorrt": "8.6.1", "compute_capability": "9.0"}


class Cache:
    """As TensorRT's: timings of one platform, which combine with those of no other."""

    def __init__(self, platform, entries=()):
        self.platform, self.entries = platform, set(entries)

    def combine(self, other, ignore_mismatch):
        assert not ignore_mismatch
        if other.platform == self.platform:
            self.entries |= other.entries
        return other.platform == self.platform

    def serialize(self):
        return f"{self.platform}:{','.join(sorted(self.entries))}".encode()


class Config:
    def __init__(self, platform="here", entries=()):
        self.cache = Cache(platform, entries)

    def get_timing_cache(self):
        return self.cache

    def create_timing_cache(self, text):
        if b":" not in text:
            raise TypeError("factory function returned nullptr")
        platform, entries = text.decode().split(":")
        return Cache(platform, filter(None, entries.split(",")))


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


def test_the_first_build_is_cold_and_the_next_is_warm(tmp_path):
    path, first, second = tmp_path / "resources/t.cache", Config(entries=["a"]), Config()
    assert timing_cache.merge(first, path) == {"state": "cold", "bytes": 0}
    size = timing_cache.save(first, path)
    assert timing_cache.merge(second, path) == {"state": "warm", "bytes": size}
    assert second.cache.entries == {"a"}


@pytest.mark.parametrize("content", [b"elsewhere:b", b"rubbish"])
def test_a_cache_of_another_platform_or_a_damaged_one_is_refused_and_replaced(tmp_path, content):
    path, config = tmp_path / "t.cache", Config(entries=["a"])
    path.write_bytes(content)
    assert timing_cache.merge(config, path) == {"state": "refused", "bytes": len(content)}
    assert config.cache.entries == {"a"}
    timing_cache.save(config, path)
    assert path.read_bytes() == b"here:a"


def test_builds_side_by_side_lose_no_timings(tmp_path):
    path = tmp_path / "t.cache"
    with ThreadPool(8) as pool:
        pool.map(lambda number: timing_cache.save(Config(entries=[f"k{number}"]), path), range(32))
    config = Config()
    timing_cache.merge(config, path)
    assert config.cache.entries == {f"k{number}" for number in range(32)}
