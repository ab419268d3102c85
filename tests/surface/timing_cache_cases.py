"""Kernel timings that builds share, on stand-ins made from TensorRT's real classes."""

from multiprocessing.pool import ThreadPool

import builders
import pytest

from speedmap.engines.tensorrt import timing_cache


def config(*entries, **more):
    return builders.config(builders.timings("here", entries), **more)


def written(config):
    return bytes(config.get_timing_cache().serialize())


def test_the_first_build_is_cold_and_the_next_is_warm(tmp_path):
    path, first, second = tmp_path / "resources/t.cache", config("a"), config()
    assert timing_cache.merge(first, path) == {"state": "cold", "bytes": 0}
    size = timing_cache.save(first, path)
    assert timing_cache.merge(second, path) == {"state": "warm", "bytes": size}
    assert written(second) == b"here:a"


def test_timings_that_were_taken_count_though_tensorrt_says_no_to_the_rest_of_the_cache(tmp_path):
    path, build = tmp_path / "t.cache", builders.config(builders.timings("here", "b", whole=False))
    path.write_bytes(b"here:a")
    assert timing_cache.merge(build, path) == {"state": "warm", "bytes": 6}
    assert written(build) == b"here:a,b"


def refuse(_text):
    raise TypeError("factory function returned nullptr")


@pytest.mark.parametrize(
    ("content", "more"),
    [(b"elsewhere:b", {}), (b"rubbish", {}), (b"rubbish", {"create_timing_cache": refuse})],
    ids=["another platform", "damaged", "damaged, raised"],
)
def test_a_cache_of_another_platform_or_a_damaged_one_is_refused_and_replaced(tmp_path, content, more):
    path, build = tmp_path / "t.cache", config("a", **more)
    path.write_bytes(content)
    assert timing_cache.merge(build, path) == {"state": "refused", "bytes": len(content)}
    assert written(build) == b"here:a"
    timing_cache.save(build, path)
    assert path.read_bytes() == b"here:a"


def test_a_build_without_a_cache_reads_and_writes_none(tmp_path):
    path, build = tmp_path / "t.cache", builders.config()
    path.write_bytes(b"here:a")
    assert timing_cache.merge(build, path) == {"state": "cold", "bytes": 6}
    assert timing_cache.save(build, path) == 0
    assert path.read_bytes() == b"here:a"


def test_builds_side_by_side_lose_no_timings(tmp_path):
    path, build = tmp_path / "t.cache", config()
    with ThreadPool(8) as pool:
        pool.map(lambda number: timing_cache.save(config(f"k{number}"), path), range(32))
    timing_cache.merge(build, path)
    assert written(build).decode() == "here:" + ",".join(sorted(f"k{number}" for number in range(32)))
