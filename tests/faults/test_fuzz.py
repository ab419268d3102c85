"""What comes from outside, at random: a checkpoint, a record or a config is understood or refused by name, never more.

FUZZ=20000 tries that many of each kind, others every time, instead of the same 100 of an ordinary run.
"""

import copy
import io
import json
import os
from pathlib import Path

import pytest
import torch
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from snakemake.utils import validate

import hostile
from helpers.record_factory import dataset, experiment
from speedmap.errors import UserError
from speedmap.model import checkpoint, weights
from speedmap.reporting import table
from speedmap.results import checks, records
from speedmap.results.cell_result import CellResult
from speedmap.results.reported import Source
from speedmap.run import config as run_config
from speedmap.run import mistakes

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "workflow/schemas/config.schema.yaml"
RULES = yaml.safe_load(SCHEMA.read_text())
CONFIG = yaml.safe_load((ROOT / "config.yaml").read_text())
PUBLISHED = sorted((ROOT / "results/published").glob("*/tensorrt/*/accuracy.json"))[0].parent
fuzz = settings(max_examples=int(os.environ.get("FUZZ", "100")), derandomize="FUZZ" not in os.environ,
                deadline=None, database=None, suppress_health_check=list(HealthCheck))  # fmt: skip

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz") / "model.pt"


@pytest.fixture(scope="module")
def sound():
    stream = io.BytesIO()
    torch.save(hostile.tensors(), stream)
    return stream.getvalue()


def read(file):
    """Read a checkpoint as the workflow does; only refusals by name are let pass."""
    said = refusal(lambda: weights._check_values(file, weights._build(file, checkpoint.load(file))))
    assert said is None or said.startswith(f"{file}: ")
    assert said is None or "\n" not in said


def refusal(attempt):
    """Return what a user is told when something is refused, None when it is not."""
    try:
        attempt()
    except UserError as error:
        return str(error)
    return None


@fuzz
@given(content=st.binary(max_size=2000))
def test_any_bytes_as_a_checkpoint(file, content):
    file.write_bytes(content)
    read(file)


@fuzz
@given(data=st.data())
def test_a_sound_checkpoint_with_bytes_changed(file, sound, data):
    content = bytearray(sound)
    pickle, size = content.find(b"\x80\x02"), len(content)
    place = st.integers(pickle, pickle + 20_000) | st.integers(size - 20_000, size - 1) | st.integers(0, size - 1)
    for position, value in data.draw(st.lists(st.tuples(place, st.binary(min_size=1, max_size=4)), max_size=8)):
        content[position : position + len(value)] = value
    file.write_bytes(content[: data.draw(st.just(size) | st.integers(0, size))])
    read(file)


NAMES = ["collections.OrderedDict", "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_parameter",
         "torch.FloatStorage", "torch.Size", "_codecs.encode", "builtins.set", "models.yolo.Model", "numpy.dtype",
         "torch.nn.modules.conv.Conv2d", "torch.float16", "torch.nn.parameter.Parameter", "os.system"]  # fmt: skip
VALUES = st.one_of(
    st.sampled_from(NAMES).map(hostile.name),
    st.text(max_size=8).map(hostile.text),
    st.integers(-(2**63), 2**63 - 1).map(hostile.integer),
    st.sampled_from([b"N", b"\x88", b"\x89", b"]", b"}", b")"]),
    st.integers(-4, 99).map(hostile.storage),
)
PICKLES = st.recursive(
    VALUES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(lambda items: hostile.tuple_of(*items)),
        st.tuples(st.sampled_from(NAMES), st.lists(inner, max_size=6)).map(lambda one: hostile.call(one[0], *one[1])),
        st.tuples(st.sampled_from(NAMES), inner).map(lambda made: hostile.module(*made)),
        st.dictionaries(st.sampled_from(["model", "_modules", "_parameters", "names", "model.24.anchors"]), inner,
                        max_size=4).map(lambda items: hostile.mapping(**items)),
        st.lists(st.binary(min_size=1, max_size=3), max_size=3).map(b"".join),
    ),
    max_leaves=20,
)  # fmt: skip


@fuzz
@given(content=PICKLES)
def test_any_pickle_in_an_archive(file, content):
    hostile.write(file, content)
    read(file)


def paths(value, path=()):
    """List the places in a JSON value, the first three of each list."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value[:3]) if isinstance(value, list) else ()
    for key, inner in items:
        yield from paths(inner, (*path, key))


def changed(data, value):
    """Take something away from a JSON value, or put something else in its place."""
    value = copy.deepcopy(value)
    for _ in range(data.draw(st.integers(1, 2))):
        *path, last = data.draw(st.sampled_from([path for path in paths(value) if path]))
        inner = value
        for key in path:
            inner = inner[key]
        if data.draw(st.booleans()):
            del inner[last]
        else:
            inner[last] = data.draw(JSON)
    return value


@fuzz
@given(data=st.data(), kind=st.sampled_from(["speed", "accuracy"]))
def test_a_changed_record_is_refused_or_makes_a_table(tmp_path_factory, data, kind):
    folder = tmp_path_factory.mktemp("record") / PUBLISHED.parent.name / PUBLISHED.name
    folder.mkdir(parents=True)
    measured = {name: json.loads((PUBLISHED / f"{name}.json").read_text()) for name in ("speed", "accuracy")}
    measured["speed"] |= {key: measured["speed"][key][:20] for key in ("samples_ms", "shapes")}
    measured[kind] = changed(data, measured[kind])
    path = folder / f"{kind}.json"
    path.write_text(json.dumps(measured[kind]))
    if said := refusal(lambda: checks.checked([str(path)])):
        assert said.startswith(f"{path}: ")
        return
    records_of = {name: checks.measured(PUBLISHED / f"{name}.json") for name in measured} | {
        kind: checks.measured(path)
    }
    cell = records_of[kind].cell
    row = CellResult(cell, records_of["speed"], records_of["accuracy"], None)
    config = experiment(models={cell.model: Source(weights="a.pt")}, torch=True)
    assert table.render([row], config, dataset(), "tensorrt").partition("\n")[2].startswith("\n## Dynamic")


@fuzz
@given(text=st.text(max_size=200) | JSON.map(json.dumps))
def test_any_text_as_a_record(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_text(text, errors="replace")
    with pytest.raises(records.RecordError, match=r"any\.json"):
        checks.checked([str(path)])


@fuzz
@given(data=st.data())
def test_a_changed_config_is_refused_or_understood(data):
    config = changed(data, CONFIG)
    valid = Draft202012Validator(RULES).is_valid(config)
    if said := refusal(lambda: mistakes.check(config, SCHEMA, [])):
        assert not valid
        assert said.startswith("--config: ")
        assert "\n" not in said
        return
    assert valid
    validate(config, str(SCHEMA))  # which fills in the defaults
    read = []
    if said := refusal(lambda: read.append(run_config.read(config, []))):
        assert said.startswith(("models.", "skip: ", "dataset.", "batches: ", "int8."))
        return
    assert all(cell.count("-") >= 2 for cell in read[0].cells)
