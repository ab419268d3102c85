"""What a config means beyond its schema: cells, and mistakes that a schema cannot see."""

import json
import math
import re
from itertools import product
from pathlib import Path

import yaml

from speedmap.results.cell import BATCH, Cell
from speedmap.run import downloads, mistakes, yolo_data
from speedmap.run.mistakes import ConfigError
from speedmap.run.settings import DataSet, Model, Settings, decode

NO_CALIBRATOR = 11  # the first TensorRT without


def replacing(given: dict) -> dict:
    """Return what an overlay replaces as a whole: models, data set, and the settings of INT8 and of timing.

    Those of the default are the sample's: another data set has none of them.
    """
    whole = {key: given[key] for key in ("models", "dataset", "int8", "speed") if key in given}
    return {"int8": {}, "speed": {}, **whole} if "dataset" in given else whole


def complete(config: dict) -> None:
    """Add to a config what a data.yaml leads to, and ONNX files as what weights are read from."""
    for name, model in config["models"].items():
        if "onnx" in model and model.setdefault("weights", model["onnx"]) != model["onnx"]:
            raise ConfigError(f"models.{name}: onnx and weights both say what to measure; delete one of them")
    data = config["dataset"]
    if "data" in data and (clash := [key for key in ("images", "annotations", "sources") if key in data]):
        raise ConfigError(f"dataset: data and {clash[0]} both say where the images are; delete one of them")
    config["dataset"] = yolo_data.completed(data, _recorded())


def numbers(config: dict) -> dict:
    """Return the batches as numbers: Snakemake takes those of `--config batches=[1,8]` for texts."""
    batches = config.get("batches")
    if not isinstance(batches, list):
        return {}
    return {"batches": [int(each) if isinstance(each, str) and each.isdecimal() else each for each in batches]}


def check(config: dict, files: list[str]) -> None:
    """Look for mistakes before anything runs: doubled keys in the files, unknown cells, files that are not there."""
    for file in files:
        _check_doubles(file, yaml.compose(Path(file).read_text("utf-8")))
    try:
        _check_values(decode(config))
    except ConfigError as error:
        file = mistakes.locate(str(error).partition(": ")[0], files)
        raise ConfigError(f"{file}: {error}" if file else str(error)) from None


def _check_values(config: Settings) -> None:
    if odd := [name for name in config.models if not isinstance(name, str)]:
        raise ConfigError(f"models: {odd[0]!r} is no text; put the name in quotes")
    known = {f"{model}-{precision}-{shape}" for model, precision, shape in _matrix(config)}
    if unknown := [name for name in config.skip if name not in known]:
        raise ConfigError(f"skip: {unknown[0]!r} is no cell of the matrix; a name is like {min(known)}")
    _check_batches(config)
    if known <= set(config.skip) and not torch_models(config):
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
    if not (several := _several(config)):
        return
    if "static" not in config.shapes:
        raise ConfigError(
            f"batches: {several[0]} images at a time need static input, which shapes leaves out; add static to it, or "
            "take batches out"
        )
    if config.int8.method == "implicit" and "int8" in config.precisions:
        raise ConfigError(
            "batches: implicit INT8 is calibrated one image at a time; set int8.method: explicit, or take batches out"
        )


def _several(config: Settings) -> list[int]:
    """List the batches of more than one image."""
    return [batch for batch in config.batches if batch > 1]


def inputs(config: Settings) -> list[str]:
    """Name the inputs of cells: the shapes where batches of 1 are asked for, then the larger ones, which are static."""
    return (config.shapes if 1 in config.batches else []) + _batches(_several(config))


def _batches(batches: list[int]) -> list[str]:
    return ["static" if batch == 1 else f"static{BATCH}{batch}" for batch in batches]


def torch_inputs(config: Settings) -> list[str]:
    """Name the inputs that torch is timed with beside batches; [] where there are none."""
    return _batches(config.batches) if _several(config) else []


def _check_doubles(file: str, node: yaml.Node | None) -> None:
    """Refuse a key that a mapping has twice: YAML would silently keep the last."""
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            if key.value in seen:
                raise ConfigError(
                    f"{file}: {key.value!r} is named twice (line {key.start_mark.line + 1}); rename or delete one"
                )
            seen.add(key.value)
            _check_doubles(file, value)


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
    recorded = _recorded()
    if recorded and recorded == _asked(config):
        return
    data = config.dataset
    parts = downloads.unpacked(data, "images") | downloads.unpacked(data, "annotations") | downloads.calibration(data)
    given = {key: Path(path) for key, path in _paths(data).items()
             if path.removeprefix(downloads.ROOT) not in parts and path not in yolo_data.MADE}  # fmt: skip
    for key, path in given.items():
        if not path.exists():
            other = f"; results/dataset.json is of another data set, {recorded['name']!r}" if recorded else ""
            raise ConfigError(f"dataset.{key}: {path} is not there{_looked(path)}; correct the path{other}")


def _asked(config: Settings) -> dict:
    data = config.dataset
    paths = {key: str(Path(path)) for key, path in _paths(data).items()}
    source = {"data": data.data} if data.data else {}
    return {"name": data.name, "limit": data.limit, "imgsz": config.imgsz, **paths, **source}


def _paths(data: DataSet) -> dict[str, str]:
    return {"images": data.images, "annotations": data.annotations, "calibration": data.calibration}


def _recorded() -> dict | None:
    """Return what the inventory of the last run is of; None where there is none that tells.

    Read as plain JSON, since a plan has to do with Snakemake alone; the jobs check the whole of it.
    """
    try:
        recorded = json.loads(Path("results/dataset.json").read_text("utf-8"))["asked"]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None
    return recorded if isinstance(recorded, dict) and "name" in recorded else None


def check_method(method: str, backend: str, platform: dict) -> None:
    """Refuse implicit INT8 where no calibrator is: from TensorRT 11 on, and in other backends."""
    version = platform.get("tensorrt")
    if method == "explicit" or (backend == "tensorrt" and (not version or int(version.split(".")[0]) < NO_CALIBRATOR)):
        return  # what is not known here, the job is told
    why = "only TensorRT 8.6 and 10 calibrate while they build"
    if version:
        why = f"TensorRT {NO_CALIBRATOR} has removed its calibrators (this is {version})"
    raise ConfigError(f"int8.method: implicit is gone: {why}; use explicit, the default, which also loses less mAP")


def _matrix(config: Settings) -> list[tuple[str, str, str]]:
    return list(product(config.models, config.precisions, inputs(config)))


def _wanted(config: Settings) -> list[tuple[str, str, str]]:
    """List the cells of the backend without those to skip."""
    return [cell for cell in _matrix(config) if "-".join(cell) not in config.skip]


def cells(config: Settings) -> list[str]:
    """Name the cells of the backend, `model-precision-shape`, and those of batches `model-precision-static-b8`."""
    return list(map("-".join, _wanted(config)))


def paired(config: Settings) -> list[str]:
    """Name the INT8 cells whose FP16 twin is measured, too."""
    wanted = set(_wanted(config))
    return ["-".join(cell) for cell in _wanted(config) if cell[1] == "int8" and (cell[0], "fp16", cell[2]) in wanted]


def builds(config: Settings) -> list[str]:
    """Name the builds of each engine by what their files have after their names: nothing, .2, .3."""
    return ["", *(f".{number}" for number in range(2, config.builds + 1))]


def trained(config: Settings) -> list[str]:
    """Name the models whose weights mean something, so that there is a mAP to measure."""
    return [name for name, model in config.models.items() if model.weights != "random"]


def planned(config: Settings, backend: str) -> list[Cell]:
    """List the cells of the backend and those of torch, as the table's rows and columns need them."""
    cells = [Cell.at(backend, *cell) for cell in _wanted(config)]
    for model in torch_models(config):
        cells += [Cell("torch", model, precision, "dynamic") for precision in ("fp16", "fp32")]
        cells += [Cell.at("torch", model, "fp16", input) for input in torch_inputs(config)]
    return cells


def torch_models(config: Settings) -> list[str]:
    """Name the models that torch is measured with, too: those that came as a checkpoint, where it is wanted."""
    return [name for name, model in config.models.items() if config.torch and not model.onnx]


def with_accuracy(config: Settings) -> list[str]:
    """Name the cells that have a mAP, which are those of batch 1."""
    meaningful = set(trained(config))
    return ["-".join(cell) for cell in _wanted(config) if cell[0] in meaningful and cell[2] in config.shapes]


def pattern(names: list[str]) -> str:
    """Write the wildcard constraint that only these names meet."""
    return "|".join(map(re.escape, names))


def experiment(config: dict) -> dict:
    """Take from a config what the table is made from: rows, columns, and what its foot says."""
    keys = ("models", "precisions", "shapes", "torch", "skip", "imgsz", "accuracy", "speed")
    chosen = decode(config)
    taken = {key: config[key] for key in (*keys, *(["batches"] if _several(chosen) else []))}
    return taken | {"torch": bool(torch_models(chosen))}
