"""What a config means beyond its schema, and mistakes that a schema cannot see."""

import json
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import yaml

from speedmap.engines import registry
from speedmap.errors import UserError
from speedmap.results.asked import Asked
from speedmap.run import config_files, downloads, mistakes, yolo_data
from speedmap.run.config_files import ConfigError
from speedmap.run.settings import DataSet, Model, Settings, decode

NO_CALIBRATOR = 11  # the first TensorRT without


def replacing(given: dict) -> dict:
    """Return what an overlay replaces as a whole: models, data set, and the settings of INT8 and of timing.

    Those of the default are the sample's: another data set has none of them.
    """
    whole = {key: given[key] for key in ("models", "dataset", "int8", "speed") if key in given}
    return {"int8": {}, "speed": {}, **whole} if "dataset" in given else whole


def numbers(config: dict) -> dict:
    """Return the batches as numbers: Snakemake takes those of `--config batches=[1,8]` for texts."""
    batches = config.get("batches")
    if not isinstance(batches, list):
        return {}
    return {"batches": [int(each) if isinstance(each, str) and each.isdecimal() else each for each in batches]}


def read(config: dict, files: list[str]) -> Settings:
    """Decode a config that its schema allows, add what follows from files, and look for mistakes before anything runs.

    Mistakes: doubled keys in the files that it is from, unknown cells, files that are not there.
    """
    for file in files:
        config_files.check_doubles(file, yaml.compose(Path(file).read_text("utf-8")))
    with _naming(files):
        settings = _completed(decode(config))
        _check_values(settings)
    return settings


def planned(config: Settings, files: list[str]) -> tuple[str, dict]:
    """Return the backend and its platform, as the registry resolves them; ConfigError for what they cannot do.

    files: that the config was read from.
    """
    with _naming(files):
        backend, platform = registry.planned(config.backend, config.platform)
        check_method(config.int8.method, backend, platform)
    return backend, platform


@contextmanager
def _naming(files: list[str]) -> Iterator[None]:
    """Name the file in what is said of a key that one of the files has."""
    try:
        yield
    except UserError as error:
        if not (file := config_files.locate(str(error).partition(": ")[0], files)):
            raise
        raise ConfigError(f"{file}: {error}") from None


def _completed(config: Settings) -> Settings:
    """Add what a data.yaml leads to, and ONNX files as what weights are read from."""
    data = config.dataset
    if data.data:
        given = {"images": data.images, "annotations": data.annotations, "sources": data.sources.given}
        if clash := next((key for key, value in given.items() if value), None):
            raise ConfigError(f"dataset: data and {clash} both say where the images are; delete one of them")
        data = _of_yaml(data, _recorded())
    models = {name: _with_weights(name, model) for name, model in config.models.items()}
    return replace(config, models=models, dataset=data)


def _of_yaml(data: DataSet, recorded: Asked | None) -> DataSet:
    if not Path(data.data).exists() and (not recorded or recorded.data != data.data):
        raise ConfigError(f"dataset.data: {data.data} is not there{_looked(data.data)}; correct the path")
    return yolo_data.completed(data, recorded)


def _with_weights(name: str, model: Model) -> Model:
    if model.onnx and model.weights not in ("", model.onnx):
        raise ConfigError(f"models.{name}: onnx and weights both say what to measure; delete one of them")
    return replace(model, weights=model.weights or model.onnx)


def _check_values(config: Settings) -> None:
    if odd := [name for name in config.models if not isinstance(name, str)]:
        raise ConfigError(f"models: {odd[0]!r} is no text; put the name in quotes")
    known = set(map("-".join, config.matrix))
    if unknown := [name for name in config.skip if name not in known]:
        meant = mistakes.nearest(unknown[0], known) or f"a name is like {min(known)}"
        raise ConfigError(f"skip: {unknown[0]!r} is no cell of the matrix; {meant}")
    _check_batches(config)
    if known <= set(config.skip) and not config.torch_models:
        raise ConfigError("skip: leaves no cell to measure; take some names out")
    for name, model in config.models.items():
        _check_weights(name, model)
    if not math.isfinite(config.int8.target):
        raise ConfigError(
            f"int8.target: {config.int8.target} is no error that an output can have; give a number, or 0 for none"
        )
    for name, foreign in config.foreign.items():
        if not Path(foreign.engine).is_file():
            raise ConfigError(
                f"foreign.{name}.engine: {foreign.engine} is not there{_looked(foreign.engine)}; correct the path"
            )
    _check_dataset(config)


def _check_batches(config: Settings) -> None:
    """Refuse batches that no cell would have: several images at a time need static input, and a scale for INT8."""
    if not config.several:
        return
    if "static" not in config.shapes:
        raise ConfigError(
            f"batches: {config.several[0]} images at a time need static input, which shapes leaves out; add static to "
            "it, or take batches out"
        )
    if config.int8.method == "implicit" and "int8" in config.precisions:
        raise ConfigError(
            "batches: implicit INT8 is calibrated one image at a time; set int8.method: explicit, or take batches out"
        )


def _check_weights(name: str, model: Model) -> None:
    weights, key = model.weights, "onnx" if model.onnx else "weights"
    if model.url and (not weights.startswith("resources/") or ".." in Path(weights).parts):
        raise ConfigError(f"models.{name}.{key}: {weights} has a url, so must lie under resources/; move it there")
    if weights != "random" and not model.url and not Path(weights).is_file():
        raise ConfigError(
            f"models.{name}.{key}: {weights} is not there{_looked(weights)}; correct the path, or give a url and its "
            "sha256"
        )


def _looked(path: str | Path) -> str:
    """Write where a relative path was looked for."""
    return "" if Path(path).is_absolute() else f", seen from {Path.cwd()}"


def check_executable(path: str) -> None:
    """Refuse a Python that Snakemake could not start: it writes its path into shell commands without quotes."""
    if odd := re.search(r"[^\w@%+=:,./-]", path):
        raise ConfigError(f"{path}: Snakemake starts no Python whose path has {odd[0]!r} in it; move the clone, or the "
                          "environment, to a path of letters, digits and . _ - alone")  # fmt: skip


def _check_dataset(config: Settings) -> None:
    """Look for the paths that nothing is to be fetched to.

    Not once this data set has been read: results stay usable when it is gone, as long as the config names it.
    """
    recorded, data = _recorded(), config.dataset
    if recorded and recorded == config.asked:
        return
    made = {downloads.ROOT + path for path in downloads.files((), data) | downloads.folders(data)} | {*yolo_data.MADE}
    for key, path in data.paths.items():
        if path not in made and not Path(path).exists():
            other = f"; results/dataset.json is of another data set, {recorded.name!r}" if recorded else ""
            raise ConfigError(f"dataset.{key}: {path} is not there{_looked(path)}; correct the path{other}")


def _recorded() -> Asked | None:
    """Return what the inventory of the last run is of; None where there is none that tells.

    Read as plain JSON, since a plan has to do with Snakemake alone; the jobs check the whole of it.
    """
    try:
        return Asked(**json.loads(Path("results/dataset.json").read_text("utf-8"))["asked"])
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None


def check_method(method: str, backend: str, platform: dict) -> None:
    """Refuse implicit INT8 where no calibrator is: from TensorRT 11 on, and in other backends."""
    version = platform.get("tensorrt")
    if method == "explicit" or (backend == "tensorrt" and (not version or int(version.split(".")[0]) < NO_CALIBRATOR)):
        return  # what is not known here, the job is told
    why = "only TensorRT 8.6 and 10 calibrate while they build"
    if version:
        why = f"TensorRT {NO_CALIBRATOR} has removed its calibrators (this is {version})"
    raise ConfigError(f"int8.method: implicit cannot be: {why}; use explicit, the default, which also loses less mAP")
