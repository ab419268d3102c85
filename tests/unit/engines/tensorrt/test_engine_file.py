import json
from pathlib import Path

import pytest

from speedmap import storage
from speedmap.engines.tensorrt import engine_file
from speedmap.engines.tensorrt.library import EngineError

HERE = {"gpu": "Fake GPU", "compute_capability": "9.0", "tensorrt": "8.6.1", "driver": "1", "cuda_driver": "12.8"}


@pytest.fixture
def engine(tmp_path):
    path = tmp_path / "engine"
    path.write_bytes(b"plan")
    digest = "5ca2d6c0a7e1cd5d8ef24b5d4f1fa9ad18f29d5ba4c8d3c6bd57a3d0f1ff2f3e"
    path.with_name("engine.json").write_text(json.dumps({"engine_sha256": digest, "platform": HERE}))
    return path


@pytest.mark.parametrize("key", ["gpu", "compute_capability", "tensorrt"])
def test_an_engine_from_elsewhere_is_refused(engine, key):
    with pytest.raises(EngineError, match=f"built for {key} .*make it anew"):
        engine_file.refuse_foreign(engine, HERE | {key: "another"})


def test_a_further_build_is_held_against_its_own_description(engine):
    further = engine.with_name("engine.2")
    further.write_bytes(b"another plan")
    Path(f"{further}.json").write_text(json.dumps({"engine_sha256": storage.sha256(further), "platform": HERE}))
    engine_file.refuse_foreign(further, HERE)
    further.write_bytes(b"another")
    with pytest.raises(EngineError, match=r"engine\.2: truncated"):
        engine_file.refuse_foreign(further, HERE)


def test_a_truncated_engine_is_refused(engine):
    with pytest.raises(EngineError, match="truncated"):
        engine_file.refuse_foreign(engine, HERE)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"platform": {}}'])
def test_a_broken_description_of_an_engine_is_refused(engine, text):
    engine.with_name("engine.json").write_text(text)
    with pytest.raises(EngineError, match="not a description"):
        engine_file.refuse_foreign(engine, HERE)


def test_a_newer_driver_still_runs_an_engine(engine):
    with pytest.raises(EngineError, match="truncated"):  # comes after the platform
        engine_file.refuse_foreign(engine, HERE | {"driver": "2", "cuda_driver": "13.0"})
